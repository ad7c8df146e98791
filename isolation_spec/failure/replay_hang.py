"""Replays a run that hung, or that ended its process, in a process of its own."""

from __future__ import annotations

import msgspec

from isolation_spec.contract.errors import AdapterError
from isolation_spec.engines.registry import Engine
from isolation_spec.execution.hang import HangReport
from isolation_spec.execution.isolation.subprocess import Parent, run_in_subprocess
from isolation_spec.execution.isolation.time_limit import RUN_TIMEOUT
from isolation_spec.execution.run import run
from isolation_spec.failure.outcome import Outcome
from isolation_spec.world.schedulers.base import Scheduler

__all__ = ["run_again"]


class Unused(msgspec.Struct, frozen=True, tag=True):
    """The run ended, and these choices of its scenario had no place in it."""

    choices: tuple[str, ...]


def run_again(
    hang: HangReport, engine: Engine, run_timeout: float | None = None
) -> tuple[Outcome, tuple[str, ...]]:
    """Returns the outcome of another run of a hang, and notes that say why.

    It may take `run_timeout` CPU seconds, by default as many as the run was given.
    """
    scenario = hang.scenario
    assert scenario is not None
    received: list[Unused] = []

    def work(parent: Parent[Unused]) -> None:
        scheduler = Scheduler(scenario.schedule)
        parent.beacon.begin_run(0, scenario, scheduler)
        history = run(scenario, engine.make_adapter, scheduler=scheduler)
        parent.send(Unused(history.unused))

    try:
        again = run_in_subprocess(
            work,
            Unused,
            receive=received.append,
            name="the replay",
            engine=engine.name,
            adapter=engine.adapter_name,
            allowed=run_timeout or hang.allowed or RUN_TIMEOUT,
        )
    except AdapterError as error:
        outcome = Outcome.UNSUPPORTED
        if hang.how == "broke":
            outcome = Outcome.REPRODUCED
        return outcome, (str(error),)
    if again is not None:
        return Outcome.REPRODUCED, (again.sentence(),)
    ended = f"the run came to its end on {engine.name}"
    if unused := ", ".join(received[0].choices):
        return Outcome.DRIFTED, (ended, f"no place for the {unused}")
    return Outcome.FIXED, (ended,)
