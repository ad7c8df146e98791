"""Writes the scenarios of the thirteen behaviours, and runs each under schedules.

A story draws users and scripts from few building blocks: only what its behaviour is
about, so that each example reaches the situation.
"""

import gc
import random
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from hypothesis import strategies as st

from isolation_spec import scenario as ask
from isolation_spec.history import History
from isolation_spec.run import AdapterFactory, run
from isolation_spec.scenario import Operation, Scenario, Schedule, Step, User
from strategies.identifiers import LABELS, identities, threads
from strategies.payloads import sign
from strategies.schedules import (
    CHAINS,
    Attempt,
    Search,
    classes,
    first_attempt,
    further_attempts,
    searches,
)
from strategies.strikes import Looked

ECHO = ask.CallTool(tool="echo", argument="")
SLOW = ask.CallTool(tool="slow", argument="")
FAILING = ask.CallTool(tool="failing", argument="")
UNKNOWN = ask.CallTool(tool="unknown", argument="")
FORBIDDEN = ask.CallTool(tool="forbidden", argument="")
THINK = ask.Think(prompt="")
EMIT = ask.Emit(payload="")
WRITE_STATE = ask.WriteState(key="s", value="")
READ_STATE = ask.ReadState()
REMEMBER = ask.Remember(key="k", value="")
RECALL = ask.Recall(key="k")
RETURN = ask.Return(value="")
MOMENT = ask.Sleep(seconds=0.01)
"""Time passes only when nothing else can happen, so whoever sleeps a moment lets
everybody come."""

SCHEDULES = 3


class Story:
    """A scenario that is being written; every value carries its owner's canary."""

    def __init__(
        self, draw: st.DrawFn, least: int, most: int, chance: random.Random
    ) -> None:
        self.draw = draw
        count = draw(st.integers(least, most))
        ids = [name for name, _ in identities(count, chance)]
        self.users = tuple(
            User(label=label, id=name) for label, name in zip(LABELS, ids, strict=False)
        )
        self.operations: list[Operation] = []
        self.classes: dict[str, int] = {}

    def rename(self, *ids: str) -> None:
        """Gives the users these identities instead of drawn ones."""
        self.users = tuple(
            User(label=user.label, id=name)
            for user, name in zip(self.users, ids, strict=False)
        )

    def everybody(self) -> range:
        """The indices of the users."""
        return range(len(self.users))

    def add(self, kind: Callable[..., Operation], **fields: Any) -> int:
        """Appends an operation and returns its id."""
        number = len(self.operations) + 1
        self.operations.append(kind(id=number, **fields))
        for chain, drawn in zip(CHAINS, self.draw(classes()), strict=True):
            if drawn:
                self.classes[f"{number}/{chain}"] = drawn
        return number

    def open(self, user: int, thread: str | None = None, name: str = "x") -> str:
        """A context of the user; returns its thread."""
        thread = thread or self.draw(threads())
        self.add(ask.OpenContext, user=user, context=name, thread=thread)
        return thread

    def run(
        self, user: int, *script: Step, background: bool = False, context: str = "x"
    ) -> int:
        """A run of this script."""
        number = len(self.operations) + 1
        return self.add(
            ask.RunAgent,
            user=user,
            context=context,
            script=sign(script, self.users[user].label, number),
            background=background,
        )

    def wait(self, user: int, seconds: float) -> None:
        """The user does nothing for so long, so that what is under way gets there."""
        self.run(user, ask.Sleep(seconds=seconds))

    def steps(self, *among: Step, least: int = 1, most: int = 4) -> tuple[Step, ...]:
        """So many steps, drawn from these."""
        drawn = st.lists(st.sampled_from(among), min_size=least, max_size=most)
        return tuple(self.draw(drawn))

    def scenario(self, search: Search) -> Scenario:
        """The scenario as written."""
        return Scenario(
            users=self.users,
            operations=tuple(self.operations),
            schedule=Schedule(
                classes=self.classes, burst=search.burst, split=search.split
            ),
        )


@st.composite
def workloads(
    draw: st.DrawFn, write: Callable[[Story], None], least: int, most: int
) -> tuple[Scenario, Search]:
    """A scenario of so many users, written by `write`, and the search around it."""
    search = draw(searches())
    story = Story(draw, least, most, random.Random(search.seed))
    write(story)
    return story.scenario(search), search


def histories(
    workload: tuple[Scenario, Search], make_adapter: AdapterFactory
) -> Iterator[History]:
    """Yields what is observed under each schedule; nothing is cancelled but by users.

    Cancellations belong to the claims' own search: here each run must reach its end, or
    the behaviour would not be shown.
    """
    scenario, search = workload

    def run_once(attempt: Attempt) -> History:
        # The search gives each attempt other names; a story has chosen its own.
        named = msgspec.structs.replace(
            attempt.scenario, users=scenario.users, operations=scenario.operations
        )
        return _observed(attempt._replace(scenario=named), make_adapter)

    history = run_once(first_attempt(scenario, search))
    yield history
    for attempt in further_attempts(
        scenario, search, SCHEDULES - 1, choices=history.choices, looked=Looked({})
    ):
        yield run_once(attempt)


def _observed(attempt: Attempt, make_adapter: AdapterFactory) -> History:
    history = run(attempt.scenario, make_adapter, scheduler=attempt.scheduler)
    # Never inside a run: what a collection finds would depend on the runs before it.
    if gc.get_count()[2] > 20:
        gc.collect()
    return history
