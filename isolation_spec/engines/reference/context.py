"""The identity of the served user, which every run, tool and session carries."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any

from .errors import LimitError
from .frozen import FrozenMapping, freeze

__all__ = ["MAX_CHILD_DEPTH", "UserExecutionContext", "current_context"]

MAX_CHILD_DEPTH = 10

current_context: ContextVar[UserExecutionContext] = ContextVar("current_context")
"""The context of the run or tool that the current task works for; unset elsewhere."""


@dataclass(frozen=True, slots=True, init=False)
class UserExecutionContext:
    """The identity under which work is done; deeply immutable.

    `user_id`, `thread_id` and `run_id` are required non-blank text. `metadata` is
    plain data, copied in and frozen. Raises `TypeError` for an unknown argument or
    live objects in the metadata, `ValueError` for blank identity.
    """

    user_id: str
    thread_id: str
    run_id: str
    request_id: str
    parent_request_id: str | None = None
    operation_name: str | None = None
    depth: int = 0
    metadata: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __init__(
        self,
        user_id: str,
        thread_id: str,
        run_id: str,
        request_id: str | None = None,
        *,
        parent_request_id: str | None = None,
        operation_name: str | None = None,
        depth: int = 0,
        metadata: Mapping[str, Any] | None = None,
        **unknown: object,
    ) -> None:
        _refuse_unknown(unknown)
        if request_id is None:
            # The one identifier without an injected source: a context built by hand has
            # no source. Worlds that replay use `create`.
            request_id = uuid.uuid4().hex
        values: dict[str, Any] = {
            "user_id": _identity("user_id", user_id),
            "thread_id": _identity("thread_id", thread_id),
            "run_id": _identity("run_id", run_id),
            "request_id": _identity("request_id", request_id),
            "parent_request_id": parent_request_id,
            "operation_name": operation_name,
            "depth": depth,
            "metadata": _frozen_metadata(metadata),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @classmethod
    def create(
        cls,
        *,
        user_id: str,
        thread_id: str,
        run_id: str,
        ids: Callable[[str], str],
        metadata: Mapping[str, Any] | None = None,
    ) -> UserExecutionContext:
        """A context whose request id comes from the given id source."""
        return cls(user_id, thread_id, run_id, ids("request"), metadata=metadata)

    def child(
        self,
        operation_name: str,
        *,
        ids: Callable[[str], str] | None = None,
        max_depth: int = MAX_CHILD_DEPTH,
    ) -> UserExecutionContext:
        """The same user, thread and run under a new request id, one level deeper.

        Raises `LimitError` below `max_depth` levels.
        """
        if self.depth >= max_depth:
            message = (
                f"context of request {self.request_id!r} is {self.depth} levels deep, "
                f"the limit is {max_depth}; do {operation_name!r} in the context itself"
            )
            raise LimitError(message)
        return replace(
            self,
            request_id=uuid.uuid4().hex if ids is None else ids("request"),
            parent_request_id=self.request_id,
            operation_name=_identity("operation_name", operation_name),
            depth=self.depth + 1,
        )

    def for_run(
        self, run_id: str, *, request_id: str | None = None
    ) -> UserExecutionContext:
        """The same owner and depth, for another run."""
        if request_id is None:
            return replace(self, run_id=run_id)
        return replace(
            self,
            run_id=run_id,
            request_id=request_id,
            parent_request_id=self.request_id,
        )

    def owns(self, user_id: str, thread_id: str) -> bool:
        """Whether both ids are exactly this context's."""
        return (self.user_id, self.thread_id) == (user_id, thread_id)

    def __copy__(self) -> UserExecutionContext:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> UserExecutionContext:
        return self


def _refuse_unknown(unknown: Mapping[str, object]) -> None:
    if unknown:
        names = ", ".join(sorted(unknown))
        message = (
            f"UserExecutionContext takes no argument {names}; a request is named by "
            "request_id and a conversation by thread_id, write one of these"
        )
        raise TypeError(message)


def _identity(name: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        message = (
            f"UserExecutionContext.{name} must be non-blank text, got {value!r}; "
            f"write for example {name}='a1'"
        )
        raise ValueError(message)
    return value


def _frozen_metadata(metadata: Mapping[str, Any] | None) -> FrozenMapping:
    if isinstance(metadata, FrozenMapping):
        return metadata
    plain: FrozenMapping = freeze(
        {} if metadata is None else metadata, place="metadata"
    )
    if not isinstance(plain, FrozenMapping):
        message = f"metadata must be a mapping, got {metadata!r}; write a dict"
        raise TypeError(message)
    return plain
