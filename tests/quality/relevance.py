"""Selects the enumerated scenarios that can show a fault.

A scenario that calls no function which the fault overrides needs no run.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import isolation_spec
from isolation_spec.engines.faults import Fault
from isolation_spec.engines.registry import Engine, find_engine
from isolation_spec.execution.run import run
from isolation_spec.model.scenario import (
    CleanupEngine,
    CleanupUser,
    Connect,
    Disconnect,
    Erase,
    OpenContext,
    Read,
    RunAgent,
    Scenario,
    User,
)
from tests.quality.enumerator import (
    IN_CONTEXT,
    PLAIN,
    Lane,
    Names,
    scenario_of,
    scenarios,
)

__all__ = ["Relevance"]

_TWO_USERS = frozenset({"context-ownership", "noninterference"})
"""Claims about the effect of one user on another."""


def _trace(scenario: Scenario, engine: Engine, folder: str) -> frozenset[str]:
    """The names of the functions in this folder that a run calls."""
    names: set[str] = set()

    def record(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and folder in frame.f_code.co_filename:
            names.add(frame.f_code.co_name)

    sys.setprofile(record)
    try:
        run(scenario, engine.make_adapter)
    finally:
        sys.setprofile(None)
    return frozenset(names)


_PACKAGE = str(Path(isolation_spec.__file__).parent)
_FAULTS = str(Path(_PACKAGE, "engines", "faults"))
_CLEAN = find_engine("reference")
_OPENED = OpenContext(id=0, user=0, context="x0", thread="t")
_CONNECTED = Connect(id=0, user=0, connection="c0")
_SURVEY: tuple[Lane, ...] = (
    *((_OPENED, one) for one in IN_CONTEXT),
    (_OPENED, CleanupUser(id=0, user=0)),
    (_CONNECTED, Disconnect(id=0, user=0, connection="c0")),
    (_CONNECTED, _OPENED, RunAgent(id=0, user=0, context="x0", script=())),
)
"""Each operation of one user, once."""


def _alone(lane: Lane) -> Scenario:
    return scenario_of((lane, ()), PLAIN)


@functools.cache
def _trace_each(operations: int) -> tuple[frozenset[str], ...]:
    """The functions that the clean engine calls in each scenario of this length."""
    return tuple(
        _trace(scenario, _CLEAN, _PACKAGE) for scenario in scenarios(PLAIN, operations)
    )


def seams(engine: Engine) -> frozenset[str]:
    """The functions of the clean engine that the fault overrides.

    Functions that every run calls are left out. An empty set means that the overridden
    functions are unknown.
    """
    empty = Scenario(users=(User(label="alice", id="alice"),), operations=())
    always = _trace(empty, _CLEAN, _PACKAGE)
    everywhere = tuple(map(_alone, _SURVEY))
    anywhere = frozenset().union(*(_trace(s, _CLEAN, _PACKAGE) for s in everywhere))
    own = frozenset().union(*(_trace(s, engine, _FAULTS) for s in everywhere))
    overridden = (own & anywhere) - always
    # A method that only makes a part is no seam if the part overrides one itself.
    parts = frozenset(n for n in overridden if not n.startswith("_create_"))
    return parts or overridden


class Relevance:
    """Selects the scenarios that can violate a claim of a fault.

    They call an overridden function, with two users where the claims are about two.
    Scenarios of more than two operations are not traced; their contexts have only
    operations that call such a function, read, erase or clean up.
    """

    def __init__(self, fault: Fault, engine: Engine) -> None:
        self._seams = seams(engine)
        self._two = fault.claims <= _TWO_USERS
        opening = _trace(_alone((_OPENED,)), _CLEAN, _PACKAGE)
        always = {
            one for one in IN_CONTEXT if isinstance(one, Read | Erase | CleanupEngine)
        }
        self.allowed = frozenset(always) | {
            one
            for one in IN_CONTEXT
            if not self._seams - opening
            or (self._seams - opening)
            & _trace(_alone((_OPENED, one)), _CLEAN, _PACKAGE)
        }

    def of(self, names: Names, operations: int) -> Iterator[Scenario]:
        """Yields the scenarios of this many operations that need a run."""
        if operations > MOST_TRACED:
            untraced = scenarios(names, operations, self.allowed)
            yield from (s for s in untraced if self._is_for_two(s))
            return
        for scenario, called in zip(
            scenarios(names, operations), _trace_each(operations), strict=True
        ):
            touched = not self._seams or self._seams & called
            if touched and self._is_for_two(scenario):
                yield scenario

    def _is_for_two(self, scenario: Scenario) -> bool:
        users = {one.user for one in scenario.operations}
        return not self._two or {0, 1} <= users


MOST_TRACED = 2
"""The most operations of a scenario that is traced: there are 130 with one or two."""
