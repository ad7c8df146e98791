"""What becomes of the violations that a search found, one for each claim."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from isolation_spec.adapter import AdapterError
from isolation_spec.adapters import Engine
from isolation_spec.confirming import Saved, confirm
from isolation_spec.explain import explain
from isolation_spec.failure import make_failure
from isolation_spec.history import History
from isolation_spec.interrupts import Interrupts
from isolation_spec.keeping import Keeper, Unsaved
from isolation_spec.report import Event, FailureFound, FailureSaved, Listener
from isolation_spec.search import Found, Tally
from isolation_spec.story import tell_story
from isolation_spec.watchdog import Slate, beating, run_apart
from isolation_spec.world.scheduler import Scheduler

__all__ = ["handle_found"]


def handle_found(
    engine: Engine,
    tally: Tally,
    keeper: Keeper,
    listen: Listener,
    run_timeout: float | None,
) -> tuple[list[Saved], list[str]]:
    """Shrinks, confirms and saves one failure for each claim that was violated.

    In processes of their own, unless `run_timeout` is None. Interrupted, it keeps the
    file that was saved as found.
    """
    saved: dict[str, Saved] = {}
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
            saved.update({p: Saved(claim, p, False) for p in first[-1:]})
            break
        saved[claim] = failure
        found.extend(failure.beside)
        if failure.stuck:
            reasons.append(f"{claim}: violated once, then {failure.stuck}")
        elif not failure.confirmed:
            reasons.append(f"{claim}: violated once, but {_unlike(failure)}")
    return list(saved.values()), reasons


def _unlike(failure: Saved) -> str:
    if failure.difference is None:
        return "not deterministic: no step of a second run differed, but its verdict"
    return f"not deterministic: {failure.difference}"


class _Told(msgspec.Struct, kw_only=True):
    """What a process that confirms a failure tells."""

    event: Event | None = None
    unsaved: Unsaved | None = None
    saved: Saved | None = None
    interrupted: bool = False
    error: str = ""


def _confirm_apart(
    engine: Engine,
    found: Found,
    keeper: Keeper,
    listen: Listener,
    interrupts: Interrupts,
    run_timeout: float,
) -> Saved:
    """As `confirm`, in a process that the engine may hang, or end.

    Raises:
        KeyboardInterrupt: there was an interrupt.
        AdapterError: the adapter broke its contract.
    """
    told = _Told()
    first = ""

    def work(
        slate: Slate, send: Callable[[bytes], None], stopped: Callable[[], bool]
    ) -> None:
        slate.began(0, found.scenario, Scheduler(found.scenario.schedule))
        watched = engine._replace(make_adapter=beating(engine.make_adapter, slate))

        def tell(**fields: Any) -> None:
            send(msgspec.msgpack.encode(_Told(**fields)))

        def check() -> None:
            if stopped():
                raise KeyboardInterrupt

        own = Keeper(keeper.folder, lambda event: tell(event=event))
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
        told = msgspec.msgpack.decode(data, type=_Told)
        if isinstance(told.event, FailureFound):
            first = told.event.path
        if told.event is not None:
            listen(told.event)
        if told.unsaved is not None:
            keeper.take_unsaved(told.unsaved)

    stuck = run_apart(
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
    return Saved(found.violation.claim, first or path, False, stuck=told_of)


def _save_live(
    engine: Engine, found: Found, history: History, keeper: Keeper, listen: Listener
) -> Saved:
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
            story=explain(tell_story(history, found.violation, None)),
        )
    )
    return Saved(found.violation.claim, keeper.place(path), False)
