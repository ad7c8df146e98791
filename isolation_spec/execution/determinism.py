"""Finds the first step at which two runs of one scenario differ.

Both runs have the same schedule and fresh worlds. A difference was decided by something
that no replay controls: the wall clock, chance, an address, a real thread. A verdict on
such an engine can be neither trusted nor repeated.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

import msgspec

from isolation_spec.contract.adapter import Adapter
from isolation_spec.execution.process_state import changed_between, process_state
from isolation_spec.execution.run import Run, conduct_run
from isolation_spec.model.history.entries import Entry, ThreadStarted
from isolation_spec.model.history.history import History
from isolation_spec.model.scenario import Scenario
from isolation_spec.world import World
from isolation_spec.world.schedulers.base import Scheduler

__all__ = ["Divergence", "Sample", "divergence_between", "divergence_of_rerun"]

_EVERY = 47
"""One of so many passing runs is repeated; a prime, so that over time it is any of the
schedules of a workload."""
_WINDOW = 40


class Divergence(msgspec.Struct, frozen=True, kw_only=True):
    """The first step at which two runs of one scenario differed.

    Attributes:
        step: index of the entry, counted from 1; of the arrival, where all entries are
            equal and only the order of arrivals differs.
        where: the step in words.
        one, other: the observation of either run.
        hint: the probable cause, "" if unknown.
    """

    step: int
    where: str
    one: str
    other: str
    hint: str = ""

    def __str__(self) -> str:
        text = f"at step {self.step}, {self.where}: "
        if self.one == self.other:
            text += self.one
        else:
            text += f"{self.one} in one run, {self.other} in the other"
        return f"{text}; {self.hint}" if self.hint else text


def divergence_of_rerun(
    history: History, make_adapter: Callable[[], Adapter]
) -> Divergence | None:
    """The divergence of another run of the history's scenario and schedule.

    The history is alive meanwhile, so that objects lie elsewhere than in its own run:
    measured, an order by address is as good as drawn anew.
    """
    scenario = msgspec.structs.replace(history.scenario, schedule=history.schedule)
    again = _conducted(scenario, make_adapter)
    found = divergence_between(history, again.history())
    if found is None or found.hint:
        return found
    # A third run, on suspicion alone: the walk takes longer than a run.
    code = again.adapter.engine_code
    before = process_state(code)
    _conducted(scenario, make_adapter)
    hint = _carried(changed_between(before, process_state(code)))
    return msgspec.structs.replace(found, hint=hint)


def _conducted(scenario: Scenario, make_adapter: Callable[[], Adapter]) -> Run:
    return conduct_run(scenario, make_adapter, World(Scheduler(scenario.schedule)))


class Sample:
    """Runs some of a search's scenarios twice, until one of them differs.

    Among them is every run that starts a real thread, or violates a claim.

    Attributes:
        reruns: the number of runs made again; they do not count as interleavings.
        difference: the first that was found in a scenario that violates nothing.
    """

    def __init__(self, make_adapter: Callable[[], Adapter]) -> None:
        self.make_adapter = make_adapter
        self.reruns = 0
        self.difference: Divergence | None = None
        self._runs = 0

    def take(self, history: History, *, failed: bool) -> Divergence | None:
        """Runs the scenario again if it is due; returns the divergence."""
        self._runs += 1
        due = self._runs % _EVERY == _EVERY // 2 or _threads(history)
        if not failed and (self.difference is not None or not due):
            return None
        self.reruns += 1
        found = divergence_of_rerun(history, self.make_adapter)
        if not failed:
            self.difference = found
        return found

    def counts(self) -> tuple[int, Divergence | None]:
        """(runs repeated so far, the first difference of one that violates nothing)."""
        return self.reruns, self.difference


# Divergences


def divergence_between(one: History, other: History) -> Divergence | None:
    """The first step at which two runs differ, or at which a real thread was started.

    A real thread counts although both are equal: they are so by chance, and may differ
    in another run.
    """
    pairs = zip(one.entries, other.entries, strict=False)
    for index, (left, right) in enumerate(pairs):
        if left != right:
            return _of_entries(one, other, index)
    if len(one.entries) != len(other.entries):
        return _of_length(one, other)
    if one.order != other.order:
        return _of_arrivals(one, other)
    for index, entry in enumerate(one.entries):
        if isinstance(entry, ThreadStarted):
            return Divergence(
                step=index + 1,
                where=_where(one, entry),
                one=f"{entry.what} was started at {entry.place}",
                other=f"{entry.what} was started at {entry.place}",
                hint=_THREAD,
            )
    return None


def _of_entries(one: History, other: History, index: int) -> Divergence:
    left, right = one.entries[index], other.entries[index]
    hint = ""
    if type(left) is not type(right) or left.operation != right.operation:
        sides = _where(one, left), _where(other, right)
    else:
        field = _first_field(left, right)
        texts = str(getattr(left, field)), str(getattr(right, field))
        hint = _hint(*texts)
        sides = tuple(f"{field} {text!r}" for text in _around(*texts))  # type: ignore[assignment]
    return Divergence(
        step=index + 1,
        where=_where(one, left),
        one=sides[0],
        other=sides[1],
        hint=_thread_or(one, other, hint or _reordered(one, other)),
    )


def _of_length(one: History, other: History) -> Divergence:
    index = min(len(one.entries), len(other.entries))
    sides = [
        _where(history, history.entries[index])
        if index < len(history.entries)
        else "nothing more"
        for history in (one, other)
    ]
    return Divergence(
        step=index + 1,
        where="where one run has ended",
        one=sides[0],
        other=sides[1],
        hint=_thread_or(one, other, ""),
    )


def _of_arrivals(one: History, other: History) -> Divergence:
    pairs = zip((*one.order, "none"), (*other.order, "none"), strict=False)
    index, sides = next((i, p) for i, p in enumerate(pairs) if p[0] != p[1])
    same = sorted(one.order) == sorted(other.order)
    return Divergence(
        step=index + 1,
        where="an arrival from outside",
        one=sides[0],
        other=sides[1],
        hint=_thread_or(one, other, _ORDER if same else ""),
    )


def _where(history: History, entry: Entry) -> str:
    kind = str(type(entry).__struct_config__.tag).replace("_", " ")
    if entry.operation is not None:
        return f"{kind} of {history.label(entry.user)}'s operation {entry.operation}"
    return f"{kind} of {history.label(entry.user)}"


def _first_field(left: Entry, right: Entry) -> str:
    """The field that differs; an observation rather than its time."""
    names = sorted(left.__struct_fields__, key=lambda name: name in ("time", "turn"))
    return next(n for n in names if getattr(left, n) != getattr(right, n))


def _around(one: str, other: str) -> tuple[str, str]:
    """Both texts around the first place at which they differ."""
    pairs = enumerate(zip(one, other, strict=False))
    first = next((i for i, (a, b) in pairs if a != b), min(len(one), len(other)))
    begin = max(0, first - _WINDOW)
    return one[begin : first + _WINDOW], other[begin : first + _WINDOW]


# Probable causes

_ORDER = (
    "the same things in another order: probably the order of a set, or of id(), which "
    "is by address; sort by what replays, or use a dict"
)
_THREAD = (
    "a real thread, whose timing no replay repeats: run its work through "
    "loop.run_in_executor or asyncio.to_thread, which the world schedules"
)
_NAMED = 3
"""Names of carried state in one hint."""
_ID = "probably uuid4 or another random id: take it from the environment's new_id"
_CLOCK = "probably the wall clock: ask the environment for the time"
_PATTERNS = (
    (re.compile(r"[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}", re.I), _ID),
    (
        re.compile(r"0x[0-9a-f]{5,16}|\b(?:1[34]\d{13}|9[34]\d{12})\b", re.I),
        "probably an address, of id() or of a repr: name things by what they are",
    ),
    (
        re.compile(
            r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?)?|\d\d:\d\d:\d\d|"
            r"\b1[4-9]\d{8}(?:\d{3}|\d{6}|\d{9})?\b(?:\.\d+)?"
        ),
        _CLOCK,
    ),
    (
        re.compile(r"\d+\.\d+(?:e-?\d+)?|\b\d{8,}\b"),
        "probably a clock or a random number: ask the environment",
    ),
    (re.compile(r"[0-9a-f]{6,}", re.I), _ID),
)


def _hint(one: str, other: str) -> str:
    """The likely cause of the difference of two texts, which are equal but for it."""
    for pattern, hint in _PATTERNS:
        if pattern.sub("#", one) == pattern.sub("#", other):
            return hint
    words = re.compile(r"[^\s,;:\[\](){}'\"]+")
    if sorted(words.findall(one)) == sorted(words.findall(other)):
        return _ORDER
    return ""


def _carried(names: list[str]) -> str:
    """The hint for state that one more run changed; "" without any."""
    if not names:
        return ""
    named, more = ", ".join(names[:_NAMED]), len(names) - _NAMED
    rest = f" and {more} more" if more > 0 else ""
    return (
        f"probably state that the process carries from run to run: {named}{rest} "
        "changed with one more run; make it anew in start"
    )


def _reordered(one: History, other: History) -> str:
    return _ORDER if _things(one) == _things(other) else ""


def _things(history: History) -> Counter[bytes]:
    """The observations, without their times."""
    still = (msgspec.structs.replace(e, time=0.0, turn=0) for e in history.entries)
    return Counter(map(msgspec.json.encode, still))


def _thread_or(one: History, other: History, hint: str) -> str:
    """The hint, unless a real thread is at work, as that explains nearly anything."""
    if hint in (_ID, _CLOCK):
        return hint
    for history in (one, other):
        for entry in history.of(ThreadStarted):
            return f"{entry.what} was started at {entry.place}, {_THREAD}"
    return hint


def _threads(history: History) -> bool:
    return any(True for _ in history.of(ThreadStarted))
