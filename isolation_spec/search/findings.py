"""What becomes of the violations that a search found, one for each claim."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from isolation_spec.contract.errors import AdapterError
from isolation_spec.diagnosis.ablation import diagnose
from isolation_spec.diagnosis.explanation import explain
from isolation_spec.engines.registry import Engine
from isolation_spec.execution.interrupts import Interrupts
from isolation_spec.execution.isolation.beacon import RunBeacon, with_heartbeat
from isolation_spec.execution.isolation.subprocess import run_in_subprocess
from isolation_spec.failure import make_failure
from isolation_spec.model.history.history import History
from isolation_spec.search.confirmation import Confirmation, confirm
from isolation_spec.search.events import Event, FailureFound, FailureSaved, Listener
from isolation_spec.search.failure_store import FailureStore, Unsaved
from isolation_spec.search.statistics import Finding, SearchStatistics
from isolation_spec.world.schedulers.base import Scheduler

__all__ = ["confirm_findings"]


def confirm_findings(
    engine: Engine,
    tally: SearchStatistics,
    keeper: FailureStore,
    listen: Listener,
    run_timeout: float | None,
) -> tuple[list[Confirmation], list[str]]:
    """Shrinks, confirms and saves one failure for each claim that was violated.

    In processes of their own, unless `run_timeout` is None. Interrupted, it keeps the
    file that was saved as found.
    """
    saved: dict[str, Confirmation] = {}
    reasons: list[str] = []
    first: list[str] = []

    def remember(event: Event) -> None:
        if isinstance(event, FailureFound):
            first.append(event.path)
        listen(event)

    found = deque(tally.found)
    while found:
        one = found.popleft()
        claim = one.violation.claim
        if claim in saved:
            continue
        if one.history is not None:
            saved[claim] = _save_live(engine, one, one.history, keeper, listen)
            continue
        try:
            with Interrupts() as interrupts:
                if run_timeout is None:
                    failure = confirm(
                        engine, one, keeper.folder, remember, interrupts.check, keeper
                    )
                else:
                    failure = _confirm_apart(
                        engine, one, keeper, remember, interrupts, run_timeout
                    )
        except KeyboardInterrupt:
            tally.interrupted = True
            saved.update({p: Confirmation(claim, p, False) for p in first[-1:]})
            break
        saved[claim] = failure
        found.extend(failure.beside)
        if failure.stuck:
            reasons.append(f"{claim}: violated once, then {failure.stuck}")
        elif not failure.confirmed:
            reasons.append(f"{claim}: violated once, but {_unlike(failure)}")
    return list(saved.values()), reasons


def _unlike(failure: Confirmation) -> str:
    if failure.difference is None:
        return "not deterministic: no step of a second run differed, but its verdict"
    return f"not deterministic: {failure.difference}"


class SubprocessMessage(msgspec.Struct, kw_only=True):
    """What a process that confirms a failure tells."""

    event: Event | None = None
    unsaved: Unsaved | None = None
    saved: Confirmation | None = None
    interrupted: bool = False
    error: str = ""


def _confirm_apart(
    engine: Engine,
    found: Finding,
    keeper: FailureStore,
    listen: Listener,
    interrupts: Interrupts,
    run_timeout: float,
) -> Confirmation:
    """As `confirm`, in a process that the engine may hang, or end.

    Raises:
        KeyboardInterrupt: there was an interrupt.
        AdapterError: the adapter broke its contract.
    """
    told = SubprocessMessage()
    first = ""

    def work(
        slate: RunBeacon, send: Callable[[bytes], None], stopped: Callable[[], bool]
    ) -> None:
        slate.began(0, found.scenario, Scheduler(found.scenario.schedule))
        watched = engine._replace(
            make_adapter=with_heartbeat(engine.make_adapter, slate)
        )

        def tell(**fields: Any) -> None:
            send(msgspec.msgpack.encode(SubprocessMessage(**fields)))

        def check() -> None:
            if stopped():
                raise KeyboardInterrupt

        own = FailureStore(keeper.folder, lambda event: tell(event=event))
        own.unsaved_listener = lambda unsaved: tell(unsaved=unsaved)
        try:
            saved = confirm(
                watched, found, own.folder, lambda e: tell(event=e), check, own
            )
            tell(saved=saved)
        except KeyboardInterrupt:
            tell(interrupted=True)
        except AdapterError as error:
            tell(error=str(error))
        except Exception as error:
            tell(error=f"the shrinking broke off: {type(error).__name__}: {error}")

    def heard(data: bytes) -> None:
        nonlocal told, first
        told = msgspec.msgpack.decode(data, type=SubprocessMessage)
        if isinstance(told.event, FailureFound):
            first = told.event.path
        if told.event is not None:
            listen(told.event)
        if told.unsaved is not None:
            keeper.take_unsaved(told.unsaved)

    stuck = run_in_subprocess(
        work,
        heard=heard,
        engine=engine.name,
        adapter=engine.adapter_name,
        allowed=run_timeout,
        interrupted=lambda: interrupts.heard,
    )
    if told.interrupted or (stuck is not None and interrupts.heard):
        raise KeyboardInterrupt
    if told.error:
        raise AdapterError(told.error)
    if told.saved is not None:
        return told.saved
    assert stuck is not None
    path = keeper.keep_stuck(stuck)
    told_of = stuck.sentence()
    return Confirmation(found.violation.claim, first or path, False, stuck=told_of)


def _save_live(
    engine: Engine,
    found: Finding,
    history: History,
    keeper: FailureStore,
    listen: Listener,
) -> Confirmation:
    """Saves a violation as it was found: it can be neither shrunk nor replayed."""
    failure = make_failure(engine.name, history, found.violation, confirmed=False)
    path = keeper.keep(failure)
    listen(
        FailureSaved(
            scenario=failure.scenario,
            violation=found.violation,
            engine=engine.name,
            path=keeper.place(path),
            confirmed=False,
            world="live",
            story=explain(diagnose(history, found.violation, None)),
        )
    )
    return Confirmation(found.violation.claim, keeper.place(path), False)
