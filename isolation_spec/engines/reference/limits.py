"""The limits of an engine; they are exact even under concurrent calls."""

import math
from dataclasses import dataclass, fields

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """All limits of one factory and its engines; each is positive, times in seconds.

    Raises `ValueError` at construction for a limit that is not a positive number.
    """

    engines_per_user: int = 2
    engine_age: float = 300.0
    runs_per_engine: int = 3
    run_seconds: float = 30.0
    dispatchers_per_user: int = 10
    queued_events: int = 50
    connection_queue: int = 100
    run_history: int = 100
    child_depth: int = 10
    cleanup_seconds: float = 5.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not 0 < value < math.inf:
                message = (
                    f"Limits.{field.name} must be a positive finite number, "
                    f"got {value!r}; write for example {field.name}={field.default!r}"
                )
                raise ValueError(message)
