"""Builds the workloads of the thirteen behaviours, and runs each under schedules.

A builder draws users and scripts from the few building blocks of its behaviour, so that
every example has an opportunity.
"""

import gc
import random
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from hypothesis import strategies as st

from isolation_spec.execution.run import AdapterFactory, run
from isolation_spec.model.history.history import History
from isolation_spec.model.scenario import (
    CallTool,
    Chain,
    Emit,
    OpenContext,
    Operation,
    ReadState,
    Recall,
    Remember,
    Return,
    RunAgent,
    Scenario,
    Schedule,
    Sleep,
    Step,
    Think,
    User,
    WriteState,
)
from isolation_spec.strategies.cancellations import FirstRunReport
from isolation_spec.strategies.identifiers import LABELS, identities, threads
from isolation_spec.strategies.payloads import sign
from isolation_spec.strategies.schedules import (
    CHAINS,
    ScheduledRun,
    SearchParameters,
    classes,
    searches,
)
from isolation_spec.strategies.seeded_schedules import first_run, seeded_runs

ECHO = CallTool(tool="echo", argument="")
SLOW = CallTool(tool="slow", argument="")
FAILING = CallTool(tool="failing", argument="")
UNKNOWN = CallTool(tool="unknown", argument="")
FORBIDDEN = CallTool(tool="forbidden", argument="")
THINK = Think(prompt="")
EMIT = Emit(payload="")
WRITE_STATE = WriteState(key="s", value="")
READ_STATE = ReadState()
REMEMBER = Remember(key="k", value="")
RECALL = Recall(key="k")
RETURN = Return(value="")
MOMENT = Sleep(seconds=0.01)
"""A short sleep. Virtual time passes only when no task can run, so a sleeping run lets
all other runs begin."""

SCHEDULES = 3


class WorkloadBuilder:
    """Builds a scenario; every value carries its owner's canary."""

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

    def user_indices(self) -> range:
        """The indices of the users."""
        return range(len(self.users))

    def add(self, operation_class: Callable[..., Operation], **fields: Any) -> int:
        """Appends an operation and returns its id."""
        number = len(self.operations) + 1
        self.operations.append(operation_class(id=number, **fields))
        for chain, drawn in zip(CHAINS, self.draw(classes()), strict=True):
            if drawn:
                self.classes[Chain.text(number, chain)] = drawn
        return number

    def open(self, user: int, thread: str | None = None, name: str = "x") -> str:
        """Opens a context of the user; returns its thread."""
        thread = thread or self.draw(threads())
        self.add(OpenContext, user=user, context=name, thread=thread)
        return thread

    def run(
        self, user: int, *script: Step, background: bool = False, context: str = "x"
    ) -> int:
        """Adds a run of this script; returns its operation id."""
        number = len(self.operations) + 1
        return self.add(
            RunAgent,
            user=user,
            context=context,
            script=sign(script, self.users[user].label, number),
            background=background,
        )

    def wait(self, user: int, seconds: float) -> None:
        """The user waits this long, so that operations in flight can end."""
        self.run(user, Sleep(seconds=seconds))

    def steps(self, *among: Step, least: int = 1, most: int = 4) -> tuple[Step, ...]:
        """Between `least` and `most` steps, drawn from these."""
        drawn = st.lists(st.sampled_from(among), min_size=least, max_size=most)
        return tuple(self.draw(drawn))

    def scenario(self, search: SearchParameters) -> Scenario:
        """The scenario built so far."""
        return Scenario(
            users=self.users,
            operations=tuple(self.operations),
            schedule=Schedule(
                classes=self.classes, burst=search.burst, split=search.split
            ),
        )


@st.composite
def workloads(
    draw: st.DrawFn, write: Callable[[WorkloadBuilder], None], least: int, most: int
) -> tuple[Scenario, SearchParameters]:
    """A scenario of this many users, built by `write`, and its search parameters."""
    search = draw(searches())
    builder = WorkloadBuilder(draw, least, most, random.Random(search.seed))
    write(builder)
    return builder.scenario(search), search


def histories(
    workload: tuple[Scenario, SearchParameters], make_adapter: AdapterFactory
) -> Iterator[History]:
    """Yields the history under each schedule; only users cancel runs.

    Cancellations by the world belong to the search of the claims: here each run must
    reach its end to show the behaviour.
    """
    scenario, search = workload

    def run_once(scheduled: ScheduledRun) -> History:
        # The search gives each run other names; a story has chosen its own.
        named = msgspec.structs.replace(
            scheduled.scenario, users=scenario.users, operations=scenario.operations
        )
        return _observed(scheduled._replace(scenario=named), make_adapter)

    history = run_once(first_run(scenario, search))
    yield history
    for scheduled in seeded_runs(
        scenario, search, SCHEDULES - 1, FirstRunReport({}, choices=history.choices)
    ):
        yield run_once(scheduled)


def _observed(scheduled: ScheduledRun, make_adapter: AdapterFactory) -> History:
    history = run(scheduled.scenario, make_adapter, scheduler=scheduled.scheduler)
    # Never inside a run: its finds would depend on the garbage of earlier runs.
    if gc.get_count()[2] > 20:
        gc.collect()
    return history
