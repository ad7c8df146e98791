"""One scenario, one engine, one world -> one history.

The only executor: the search, the replay and the shrinker all come through `run`. It
performs exactly the operations of the scenario, in tasks of its own, one for each
operation, each in a fresh context; it judges nothing. A run has four phases: the
operations; the cleanup of every user; the teardown of the engine; and the rows that the
independent observer reads at the very end.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TypeVar

from isolation_spec.contract.adapter import Adapter
from isolation_spec.contract.checked_adapter import CheckedAdapter
from isolation_spec.contract.errors import AdapterError
from isolation_spec.contract.toolbox import Toolbox
from isolation_spec.execution.attribution import attribute, frames_of
from isolation_spec.execution.containment import contain_process_exit
from isolation_spec.execution.operation_driver import OperationDriver
from isolation_spec.execution.operation_tasks import OperationTasks
from isolation_spec.execution.phases import Phases
from isolation_spec.execution.recorder import Recorder
from isolation_spec.execution.run_limit import RUN_LIMIT
from isolation_spec.execution.step_recorder import StepRecorder
from isolation_spec.model.history.entries import (
    Entry,
)
from isolation_spec.model.history.history import History
from isolation_spec.model.history.states import ToolMoment
from isolation_spec.model.scenario import Scenario
from isolation_spec.world import World
from isolation_spec.world.interface import WorldInterface
from isolation_spec.world.loop import WorldExhausted
from isolation_spec.world.schedulers.base import Scheduler

__all__ = ["AdapterFactory", "conduct_run", "run"]

AdapterFactory = Callable[[], Adapter]
EntryT = TypeVar("EntryT", bound=Entry)


def run(
    scenario: Scenario,
    make_adapter: AdapterFactory,
    *,
    scheduler: Scheduler | None = None,
    count_steps: bool = False,
    world: WorldInterface | None = None,
) -> History:
    """Runs the scenario in a fresh world and returns its history.

    With `count_steps`, the history says where each operation's task waited before each
    of its steps. A world that is given must be fresh, and no scheduler
    is given with it.

    Raises:
        AdapterError: the adapter broke its contract; its cause says how.
    """
    fresh = world or World(scheduler or Scheduler(scenario.schedule))
    return conduct_run(scenario, make_adapter, fresh, count_steps=count_steps).history()


def conduct_run(
    scenario: Scenario,
    make_adapter: AdapterFactory,
    fresh: WorldInterface,
    *,
    count_steps: bool = False,
) -> Run:
    """The conducted run of the scenario in a fresh world.

    Raises:
        AdapterError: the adapter broke its contract; its cause says how.
    """
    with _timed(), contain_process_exit() as named, fresh as world:
        adapter = _made(make_adapter)
        named.adapter = type(adapter).__name__
        prepared = world.prepare(scenario)
        conducted = Run(prepared, adapter, world, count_steps=count_steps)
        conducted.conduct()
        return conducted


@contextlib.contextmanager
def _timed() -> Iterator[None]:
    """Times its block as one run."""
    limit = RUN_LIMIT.get()
    if limit is not None:
        limit.start()
    try:
        yield
    finally:
        if limit is not None:
            limit.end_run()


def _made(make_adapter: AdapterFactory) -> Adapter:
    try:
        return make_adapter()
    except Exception as error:
        where = attribute(frames_of(error.__traceback__), "the adapter")
        message = (
            f"no adapter could be made, {where} raised {type(error).__name__}: "
            f"{error}: one is made for each run, so let it use nothing up"
        )
        raise AdapterError(message) from error


class Run:
    """One run of a scenario: its parts, its conduct and its history."""

    def __init__(
        self,
        scenario: Scenario,
        adapter: Adapter,
        world: WorldInterface,
        *,
        count_steps: bool,
    ) -> None:
        self.scenario = scenario
        self.adapter = CheckedAdapter(adapter)
        self.world = world
        self.recorder = Recorder(scenario, self.adapter, world)
        self.steps = StepRecorder(world, counts=count_steps)
        driver = OperationDriver(scenario, self.adapter, world, self.recorder)
        parts = (scenario, self.adapter, world, self.recorder, driver)
        self.tasks = OperationTasks(*parts, self.steps)
        self.phases = Phases(*parts, self.tasks)
        world.toolbox = Toolbox(world, scenario.users, self._use_tool)

    def conduct(self) -> None:
        """Conducts all phases in the world.

        Raises:
            AdapterError: the adapter broke its contract, or `start` never returned.
        """
        try:
            self.world.run(self.phases.conduct())
        except WorldExhausted as error:
            self._give_up(str(error))

    def _give_up(self, reason: str) -> None:
        """Ends a run that the world could not bring to its end."""
        if not self.phases.started:
            message = (
                f"{type(self.adapter.adapter).__name__}.start never came to its end "
                f"({reason}): return from it once the engine is ready, and leave no "
                "loop in it"
            )
            raise AdapterError(message)
        self.recorder.unhandled(reason)
        self.tasks.end_unfinished()

    def _use_tool(
        self, tool: str, argument: str, identity: str | None, moment: ToolMoment
    ) -> None:
        self.world.activity.tools_run += moment == ToolMoment.ENDED
        self.recorder.tool(tool, argument, identity, moment)

    def history(self) -> History:
        """The observations of the run, with the choices of the scheduler."""
        reached = self.world.activity
        reached.users = len(self.tasks.queue.lanes)
        choices = self.world.choices()
        uncancelled = (f"cancellation of {n}" for n in self.tasks.uncancelled)
        return History(
            scenario=self.scenario,
            entries=tuple(self.recorder.entries),
            reached=reached,
            schedule=choices.schedule,
            unused=(*choices.unused, *uncancelled),
            arrivals=choices.arrivals,
            settled=self.tasks.settled,
            choices=choices.made,
            order=choices.order,
            overlapped=self.tasks.overlapped,
            steps=self.steps.steps,
            handed=self.steps.handoffs,
            waited=self.steps.in_flight,
            awaits=tuple(self.steps.awaits),
            limits=self.adapter.limits,
            patience=self.adapter.adapter.patience,
            event_names=self.adapter.adapter.event_names,
            varying=tuple(self.adapter.adapter.varying),
            computing=self.world.computing(),
            sight=self.recorder.sight,
        )
