"""The users that a cleanup within the scenario has already released.

A second cleanup at the end of the run would hide the omissions of the first one, which
occur where several users leave at the same moment.
"""

from __future__ import annotations

from collections.abc import Iterable

from isolation_spec.model.history.entries import (
    AgentStepped,
    CancellationDelivered,
    Entry,
    OperationEnded,
    OperationStarted,
)
from isolation_spec.model.history.states import Outcome
from isolation_spec.model.scenario import CleanupUser, Operation, Scenario

__all__ = ["users_already_released"]


def users_already_released(
    scenario: Scenario, entries: Iterable[Entry]
) -> frozenset[int]:
    """The users (indices) whose last request was a cleanup of theirs that returned.

    Their earlier operations had ended by then, or were agents at work, and the world
    had cancelled no operation of theirs: nothing could still come too late.
    """
    operations = {operation.id: operation for operation in scenario.operations}
    left: set[int] = set()
    leaving: set[int] = set()
    cut_off: set[int] = set()
    pending: dict[int, int] = {}
    for entry in entries:
        number, user = entry.operation, entry.user
        if number is None or user is None:
            continue
        if isinstance(entry, OperationStarted):
            left.discard(user)
            if not isinstance(operations[number], CleanupUser):
                pending[number] = user
            elif user not in pending.values():
                leaving.add(number)
        elif isinstance(entry, CancellationDelivered):
            cut_off.add(user)
        elif isinstance(entry, OperationEnded):
            pending.pop(number, None)
            if number in leaving and entry.outcome == Outcome.RETURNED:
                left.add(user)
        elif isinstance(entry, AgentStepped) and _is_own(operations[number]):
            pending.pop(number, None)
    return frozenset(left - cut_off)


def _is_own(operation: Operation) -> bool:
    return operation.victim is None
