"""Provenance: the entries that lead to a violation.

For a foreign value these are its birth and each entry that shows it; for a resource
the operations that made it and should have ended it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from isolation_spec.claims import Violation, find_claim
from isolation_spec.claims.facts import texts_in
from isolation_spec.diagnosis.diagnosis import Birth, ProvenanceStep
from isolation_spec.model.history.entries import (
    AgentStepped,
    CancellationDelivered,
    Entry,
    EventReceived,
    GaugeRead,
    OperationEnded,
    OperationStarted,
    PhaseStarted,
    ResourceAlive,
    RowStored,
    SessionMoved,
)
from isolation_spec.model.history.history import History
from isolation_spec.model.history.states import Outcome, Phase, SessionMove
from isolation_spec.model.run_name import named_run
from isolation_spec.model.scenario import (
    CANARY,
    CancelRun,
    CleanupEngine,
    CleanupUser,
    Erase,
    Operation,
    Remember,
    RunAgent,
    Transact,
    Write,
    canaries_in,
    walk,
)

__all__ = ["trace_provenance", "traced_values"]


def trace_provenance(
    history: History, violation: Violation
) -> tuple[ProvenanceStep, ...]:
    """Returns the steps of the violation's canaries, or else of its resource.

    Returns no steps if the violation shows in no entry, or in one entry alone.
    """
    if violation.entry >= len(history.entries):
        return ()
    values = traced_values(history, violation)
    if values:
        return _trace_values(history, violation, values)
    shows = violation.entry
    if find_claim(violation.claim).compares:
        found: Iterable[int] = _last_of_others(history, shows)
    else:
        found = _resource(history, shows)
    indices = sorted({*found, shows})
    if len(indices) < 2:
        return ()
    return tuple(_step(history, i, brief=i != shows) for i in indices)


def _step(
    history: History, index: int, birth: Birth | None = None, *, brief: bool = False
) -> ProvenanceStep:
    entry = history.entries[index]
    returned = isinstance(entry, OperationEnded) and entry.outcome == Outcome.RETURNED
    return ProvenanceStep(
        entry=index,
        user=_viewer(history, entry),
        operation=entry.operation,
        birth=birth,
        brief=brief and returned,
    )


def _viewer(history: History, entry: Entry) -> int | None:
    """Returns the user that the entry shows its text to; for a row, its owner."""
    if isinstance(entry, RowStored):
        ids = [user.id for user in history.scenario.users]
        return ids.index(entry.owner) if entry.owner in ids else None
    return entry.user


# Canaries


def traced_values(history: History, violation: Violation) -> tuple[str, ...]:
    """Returns the foreign canary that the violation's fact names, or all canaries of
    the fact."""
    if violation.entry >= len(history.entries):
        return ()
    shows = history.entries[violation.entry]
    found = [pair for text in texts_in(violation.fact) for pair in canaries_in(text)]
    labels = [user.label for user in history.scenario.users]
    viewer = _viewer(history, shows)
    name = "" if viewer is None else labels[viewer]
    named = dict.fromkeys(value for owner, value in found if owner in labels)
    found += canaries_in(str(shows))
    foreign = [value for owner, value in found if owner in labels and owner != name]
    return tuple(foreign[:1] if name else ()) or tuple(named)[:_MOST_VALUES]


_MOST_VALUES = 2


def _trace_values(
    history: History, violation: Violation, values: tuple[str, ...]
) -> tuple[ProvenanceStep, ...]:
    """Returns where the values were written, shown and erased."""
    shows = violation.entry
    births = dict(_birth(history, value) for value in values)
    first = min(births, default=0)
    indices = {*births, *_acknowledged(history, values), shows}
    for index, entry in enumerate(history.entries[:shows]):
        shown = any(value in str(entry) for value in values)
        if index > first and (shown or _erases(history, entry)):
            indices.add(index)
    return tuple(
        _step(history, index, births.get(index))
        for index in sorted(indices)
        if index <= shows
    )


def _erases(history: History, entry: Entry) -> bool:
    operation = history.operations().get(entry.operation or -1)
    return isinstance(entry, OperationStarted) and isinstance(operation, Erase)


def _acknowledged(history: History, values: tuple[str, ...]) -> Iterator[int]:
    """Yields the indices at which the storing of a value was acknowledged."""
    operations = history.operations()
    for index, entry in enumerate(history.entries):
        operation = operations.get(entry.operation or -1)
        if isinstance(entry, OperationEnded) and isinstance(operation, Write):
            written = operation.value
        elif isinstance(entry, AgentStepped) and isinstance(operation, RunAgent):
            step = dict(walk(operation.script)).get(entry.path)
            stores = entry.step != "begin" and isinstance(step, Remember | Transact)
            written = str(step) if stores else ""
        else:
            continue
        if any(value in written for value in values):
            yield index


def _birth(history: History, value: str) -> tuple[int, Birth | None]:
    """Returns the index of the entry after which the value enters the engine."""
    match = CANARY.fullmatch(value)
    operation = history.operations().get(int(match.group(2)) if match else -1)
    if operation is None:
        return 0, None
    path = _writing(operation, value)
    latest = 0
    for index, entry in enumerate(history.entries):
        if entry.operation != operation.id:
            continue
        if isinstance(entry, AgentStepped) and entry.step != "begin":
            if entry.path == path:
                break
            latest = index
        elif isinstance(entry, OperationStarted | AgentStepped):
            latest = index
    return latest, Birth(operation.id, path)


def _writing(operation: Operation, value: str) -> tuple[int, ...]:
    """Returns the step of the script that writes the value, () if there is no step."""
    if not isinstance(operation, RunAgent):
        return ()
    paths = [path for path, step in walk(operation.script) if value in str(step)]
    # The innermost step is the one that writes.
    return max(paths, key=len, default=())


# Resources


def _resource(history: History, index: int) -> Iterable[int]:
    """Returns the entries of the operations that made and should have ended it."""
    entry = history.entries[index]
    match entry:
        case ResourceAlive() | GaugeRead():
            return _outlived(history, index, entry)
        case SessionMoved():
            return _session(history, index, entry.session)
        case EventReceived():
            return _operations(history, index, named_run(entry.text))
        case AgentStepped():
            return _at_work(history, index, entry)
        case OperationEnded():
            return _meanwhile(history, index, entry)
        case _:
            return _operations(history, index, entry.operation)


def _last_of_others(history: History, index: int) -> Iterator[int]:
    """Yields the user's operation, and the last entry of another user before it."""
    user, operation = history.entries[index].user, history.entries[index].operation
    others = (
        i
        for i in range(index - 1, -1, -1)
        if history.entries[i].user not in (None, user)
    )
    latest = next(others, index)
    operations = {operation, history.entries[latest].operation}
    yield latest
    for i, entry in enumerate(history.entries[:index]):
        if isinstance(entry, OperationStarted) and entry.operation in operations:
            yield i


def _session(history: History, index: int, session: int) -> Iterator[int]:
    """Yields the moves of a database session; if it was never closed, to the end."""
    moves = [
        (i, entry)
        for i, entry in enumerate(history.entries)
        if isinstance(entry, SessionMoved) and entry.session == session
    ]
    closed = any(entry.move == SessionMove.CLOSED for _, entry in moves)
    yield from (i for i, _ in moves if i <= index or not closed)
    for i, entry in enumerate(history.entries):
        if (
            not closed
            and isinstance(entry, PhaseStarted)
            and entry.phase == Phase.TEARDOWN
        ):
            yield i


def _outlived(
    history: History, index: int, alive: ResourceAlive | GaugeRead
) -> Iterator[int]:
    """Yields the operation that made it, and each cleanup that should have ended it."""
    operations = history.operations()
    for i, entry in enumerate(history.entries[:index]):
        if isinstance(entry, PhaseStarted):
            if entry.phase in (Phase.CLEANUP, Phase.TEARDOWN):
                yield i
        elif isinstance(entry, OperationStarted | OperationEnded):
            operation = operations[entry.operation or 0]
            cleans = isinstance(operation, CleanupUser) and entry.user == alive.user
            if cleans or entry.operation == alive.operation:
                yield i


def _operations(history: History, index: int, number: int | None) -> Iterator[int]:
    """Yields the entries of one operation and of its run's events, up to the index."""
    for i, entry in enumerate(history.entries[: index + 1]):
        if number is None:
            return
        if isinstance(entry, EventReceived):
            if named_run(entry.text) == number:
                yield i
        elif entry.operation == number and not isinstance(entry, SessionMoved):
            yield i


def _at_work(history: History, index: int, began: AgentStepped) -> Iterator[int]:
    """Yields the beginnings and ends of the runs in the same context."""
    operations = history.operations()

    def where(number: int | None) -> tuple[int, str] | None:
        run = operations.get(number or 0)
        return (run.user, run.context) if isinstance(run, RunAgent) else None

    for i, entry in enumerate(history.entries[: index + 1]):
        begins = isinstance(entry, AgentStepped) and entry.step == "begin"
        ends = isinstance(entry, OperationEnded)
        if (begins or ends) and where(entry.operation) == where(began.operation):
            yield i


def _meanwhile(history: History, index: int, ended: OperationEnded) -> Iterator[int]:
    """Yields the operation itself, and the trouble of other users, up to its end."""
    for i, entry in enumerate(history.entries[: index + 1]):
        if isinstance(entry, EventReceived):
            if named_run(entry.text) == ended.operation:
                yield i
        elif entry.operation == ended.operation:
            if isinstance(entry, OperationStarted | CancellationDelivered):
                yield i
        elif entry.user != ended.user and _is_trouble(history, entry):
            yield i


def _is_trouble(history: History, entry: Entry) -> bool:
    if isinstance(entry, OperationEnded):
        return entry.outcome != Outcome.RETURNED
    if isinstance(entry, OperationStarted):
        operation = history.operations().get(entry.operation or -1)
        return isinstance(operation, CancelRun | CleanupEngine | CleanupUser)
    return isinstance(entry, CancellationDelivered)
