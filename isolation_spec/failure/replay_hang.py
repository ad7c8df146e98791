"""A run that hung, or ended its process, is run again in a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

from isolation_spec.contract.errors import AdapterError
from isolation_spec.engines.registry import Engine
from isolation_spec.execution.hang import HangReport
from isolation_spec.execution.isolation.beacon import RunBeacon
from isolation_spec.execution.isolation.subprocess import run_in_subprocess
from isolation_spec.execution.isolation.time_limit import RUN_TIMEOUT
from isolation_spec.execution.run import run
from isolation_spec.model.scenario import Scenario
from isolation_spec.world.schedulers.base import Scheduler

__all__ = ["run_again"]

Again: TypeAlias = Literal["REPRODUCED", "FIXED", "DRIFTED", "UNSUPPORTED"]


def run_again(stuck: HangReport, engine: Engine) -> tuple[Again, str]:
    """What another run of it shows, and a sentence that says why."""
    scenario = stuck.scenario
    assert scenario is not None
    told: list[str] = []
    again = run_in_subprocess(
        _work(scenario, engine),
        heard=lambda data: told.append(data.decode()),
        engine=engine.name,
        adapter=engine.adapter_name,
        allowed=stuck.allowed or RUN_TIMEOUT,
    )
    if again is not None:
        return "REPRODUCED", again.sentence()
    (said,) = told
    if said.startswith("error "):
        return "UNSUPPORTED", said.removeprefix("error ")
    ended = f"the run came to its end on {engine.name}"
    return ("FIXED", ended) if said == "-" else ("DRIFTED", f"{ended}; {said}")


def _work(
    scenario: Scenario, engine: Engine
) -> Callable[[RunBeacon, Callable[[bytes], None], object], None]:
    def work(slate: RunBeacon, send: Callable[[bytes], None], _: object) -> None:
        scheduler = Scheduler(scenario.schedule)
        slate.began(0, scenario, scheduler)
        try:
            unused = run(scenario, engine.make_adapter, scheduler=scheduler).unused
            send(f"no place for the {', '.join(unused)}".encode() if unused else b"-")
        except AdapterError as error:
            send(f"error {error}".encode())

    return work
