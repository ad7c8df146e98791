"""The way of a value through a history, or else of what a violation is about."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec

from isolation_spec.claims import Violation, find_claim
from isolation_spec.diagnosis.wording import (
    describe_entry,
    describe_operation,
    describe_step,
)
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

__all__ = ["ProvenanceStep", "concerned", "trace_provenance"]


class ProvenanceStep(msgspec.Struct, frozen=True, kw_only=True):
    """One place in the history at which the value, or the resource, was seen.

    The first is where it was born, the last where the violation shows.

    Attributes:
        entry: index into the entries of the history.
        user: index of the user who saw it there, None for the world.
        operation: id of the operation in which it was seen.
        what: a few words, without the user's name.
    """

    entry: int
    user: int | None
    operation: int | None
    what: str


def trace_provenance(
    history: History, violation: Violation
) -> tuple[ProvenanceStep, ...]:
    """The way of the canary that the violation is about, or else of the resource.

    Empty if the violation shows in no entry, or there is nothing to say beside it.
    """
    if violation.entry >= len(history.entries):
        return ()
    values = concerned(history, violation)
    if values:
        return _way(history, violation, values)
    shows = violation.entry
    if find_claim(violation.claim).compares:
        found: Iterable[int] = _last_of_others(history, shows)
    else:
        found = _resource(history, shows)
    indices = sorted({*found, shows})
    if len(indices) < 2:
        return ()
    return tuple(_hop(history, i, _ending(history, i, shows)) for i in indices)


def _ending(history: History, index: int, shows: int) -> str:
    """Of an operation that ended well only that, but where the violation shows."""
    entry = history.entries[index]
    well = isinstance(entry, OperationEnded) and entry.outcome == "returned"
    return "returned" if well and index != shows else ""


def _hop(history: History, index: int, what: str = "") -> ProvenanceStep:
    entry = history.entries[index]
    if isinstance(entry, OperationStarted):
        operation = history.operations()[entry.operation or 0]
        what = what or f"begins to {describe_operation(operation)}"
    return ProvenanceStep(
        entry=index,
        user=_viewer(history, entry),
        operation=entry.operation,
        what=what or describe_entry(entry),
    )


def _viewer(history: History, entry: Entry) -> int | None:
    """Who sees what the entry shows; of a stored row, whose it is."""
    if isinstance(entry, RowStored):
        ids = [user.id for user in history.scenario.users]
        return ids.index(entry.owner) if entry.owner in ids else None
    return entry.user


# The way of a canary


def concerned(history: History, violation: Violation) -> tuple[str, ...]:
    """The foreign canary that the violation is about, or else all that it names."""
    if violation.entry >= len(history.entries):
        return ()
    shows = history.entries[violation.entry]
    texts = [violation.however, *violation.let, violation.then]
    found = [pair for text in texts for pair in canaries_in(text)]
    labels = [user.label for user in history.scenario.users]
    viewer = _viewer(history, shows)
    name = "" if viewer is None else labels[viewer]
    named = dict.fromkeys(value for owner, value in found if owner in labels)
    found += canaries_in(str(shows))
    foreign = [value for owner, value in found if owner in labels and owner != name]
    return tuple(foreign[:1] if name else ()) or tuple(named)[:_MOST_VALUES]


_MOST_VALUES = 2


def _way(
    history: History, violation: Violation, values: tuple[str, ...]
) -> tuple[ProvenanceStep, ...]:
    """Where the values were written, wherever they were seen, and what erased them."""
    shows = violation.entry
    births = dict(_birth(history, value) for value in values)
    first = min(births, default=0)
    indices = {*births, *_acknowledged(history, values), shows}
    for index, entry in enumerate(history.entries[:shows]):
        seen_here = any(value in str(entry) for value in values)
        if index > first and (seen_here or _erases(history, entry)):
            indices.add(index)
    return tuple(
        _hop(history, index, births.get(index, ""))
        for index in sorted(indices)
        if index <= shows
    )


def _erases(history: History, entry: Entry) -> bool:
    operation = history.operations().get(entry.operation or -1)
    return isinstance(entry, OperationStarted) and isinstance(operation, Erase)


def _acknowledged(history: History, values: tuple[str, ...]) -> Iterator[int]:
    """The indices at which the storing of a value was acknowledged."""
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


def _birth(history: History, value: str) -> tuple[int, str]:
    """The index of the entry after which the value enters the engine, and how."""
    match = CANARY.fullmatch(value)
    operation = history.operations().get(int(match.group(2)) if match else -1)
    if operation is None:
        return 0, ""
    path, words = _writing(operation, value)
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
    return latest, f"born here: {words}"


def _writing(operation: Operation, value: str) -> tuple[tuple[int, ...], str]:
    """Where in the script the value is written, and in what words."""
    if isinstance(operation, RunAgent):
        found = [
            (path, step) for path, step in walk(operation.script) if value in str(step)
        ]
        if found:
            # The innermost step is the one that writes.
            path, step = max(found, key=lambda one: len(one[0]))
            return path, f"its agent is about to {describe_step(step)}"
    return (), f"begins to {describe_operation(operation)}"


# What else a violation may be about


def _resource(history: History, index: int) -> Iterable[int]:
    """Indices of entries that say what made it, and what should have ended it."""
    entry = history.entries[index]
    match entry:
        case ResourceAlive() | GaugeRead():
            return _outlived(history, index, entry)
        case SessionMoved():
            return _session(history, index, entry.session)
        case EventReceived():
            return _operations(history, index, _run_of(entry.text))
        case AgentStepped():
            return _at_work(history, index, entry)
        case OperationEnded():
            return _meanwhile(history, index, entry)
        case _:
            return _operations(history, index, entry.operation)


def _last_of_others(history: History, index: int) -> Iterator[int]:
    """What the user asked for, and what another did last before it was answered."""
    user, operation = history.entries[index].user, history.entries[index].operation
    others = (
        i
        for i in range(index - 1, -1, -1)
        if history.entries[i].user not in (None, user)
    )
    latest = next(others, index)
    concerned = {operation, history.entries[latest].operation}
    yield latest
    for i, entry in enumerate(history.entries[:index]):
        if isinstance(entry, OperationStarted) and entry.operation in concerned:
            yield i


def _session(history: History, index: int, session: int) -> Iterator[int]:
    """What became of a database session; of one that nobody closed, to the end."""
    moves = [
        (i, entry)
        for i, entry in enumerate(history.entries)
        if isinstance(entry, SessionMoved) and entry.session == session
    ]
    closed = any(entry.move == "closed" for _, entry in moves)
    yield from (i for i, _ in moves if i <= index or not closed)
    for i, entry in enumerate(history.entries):
        if not closed and isinstance(entry, PhaseStarted) and entry.phase == "teardown":
            yield i


def _outlived(
    history: History, index: int, alive: ResourceAlive | GaugeRead
) -> Iterator[int]:
    """The operation that made it, and each cleanup that should have ended it."""
    operations = history.operations()
    for i, entry in enumerate(history.entries[:index]):
        if isinstance(entry, PhaseStarted):
            if entry.phase in ("cleanup", "teardown"):
                yield i
        elif isinstance(entry, OperationStarted | OperationEnded):
            operation = operations[entry.operation or 0]
            cleans = isinstance(operation, CleanupUser) and entry.user == alive.user
            if cleans or entry.operation == alive.operation:
                yield i


_RUN = re.compile(r"run-(\d+)(?!\d)")


def _run_of(text: str) -> int | None:
    match = _RUN.search(text)
    return int(match.group(1)) if match else None


def _operations(history: History, index: int, number: int | None) -> Iterator[int]:
    """All that was seen of one operation, and of the run's events, up to here."""
    for i, entry in enumerate(history.entries[: index + 1]):
        if number is None:
            return
        if isinstance(entry, EventReceived):
            if _run_of(entry.text) == number:
                yield i
        elif entry.operation == number and not isinstance(entry, SessionMoved):
            yield i


def _at_work(history: History, index: int, began: AgentStepped) -> Iterator[int]:
    """When the runs in the same context began and ended."""
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
    """The operation itself, and what went wrong for others, up to its end."""
    for i, entry in enumerate(history.entries[: index + 1]):
        if isinstance(entry, EventReceived):
            if _run_of(entry.text) == ended.operation:
                yield i
        elif entry.operation == ended.operation:
            if isinstance(entry, OperationStarted | CancellationDelivered):
                yield i
        elif entry.user != ended.user and _is_trouble(history, entry):
            yield i


def _is_trouble(history: History, entry: Entry) -> bool:
    if isinstance(entry, OperationEnded):
        return entry.outcome != "returned"
    if isinstance(entry, OperationStarted):
        operation = history.operations().get(entry.operation or -1)
        return isinstance(operation, CancelRun | CleanupEngine | CleanupUser)
    return isinstance(entry, CancellationDelivered)
