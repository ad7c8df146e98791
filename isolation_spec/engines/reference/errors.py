"""Every error that the engine raises on purpose.

EngineError
├── OwnershipError       a context, request or engine of another owner was named
├── LimitError           one more would exceed a limit
├── ClosedError          used after cleanup, close, stop or shutdown
├── UnknownAgentError    no agent is registered under that name
├── DuplicateRunError    a run of that id is already in flight
├── LifecycleError       an event out of order in the lifecycle of a run
├── SerializationError   an event that JSON cannot express
└── CleanupError         some parts could not be released; all others are
"""

__all__ = [
    "CleanupError",
    "ClosedError",
    "DuplicateRunError",
    "EngineError",
    "LifecycleError",
    "LimitError",
    "OwnershipError",
    "SerializationError",
    "UnknownAgentError",
    "describe",
]


class EngineError(Exception):
    """The base of all errors that the engine raises on purpose."""


class OwnershipError(EngineError):
    """Raised when a context, request or engine belongs to another owner."""


class LimitError(EngineError):
    """Raised at once when one more engine, dispatcher or child exceeds its limit."""


class ClosedError(EngineError):
    """Raised when a part is used after it was closed, cleaned up or shut down."""


class UnknownAgentError(EngineError):
    """Raised when no agent is registered under the requested name."""


class DuplicateRunError(EngineError):
    """Raised when a run is started under the id of a run still in flight."""


class LifecycleError(EngineError):
    """Raised for an event before the start, after the end, or without its pair."""


class SerializationError(EngineError):
    """Raised in the run that emitted an event which JSON cannot express."""


class CleanupError(EngineError):
    """Raised after a cleanup that could not release some parts; `failures` lists
    them."""

    def __init__(self, owner: str, failures: tuple[str, ...]) -> None:
        super().__init__(f"cleanup of {owner} left: " + "; ".join(failures))
        self.failures = failures


def describe(error: BaseException) -> str:
    """One line that names the error's type and its text, and never raises."""
    try:
        text = str(error)
    except Exception:
        text = "(its text cannot be read)"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
