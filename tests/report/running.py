"""Folders of whole runs: one of a real search, and one of hostile texts."""

import json
import tempfile
from functools import cache
from pathlib import Path

import msgspec

from isolation_spec.claims import Reason, ReasonKind, Verdict
from isolation_spec.engines.registry import find_engine
from isolation_spec.model.history.activity import ActivityCounters
from isolation_spec.report.run_folder import load_run
from isolation_spec.report.run_page import run_page
from isolation_spec.search.coverage import Coverage
from isolation_spec.search.events import (
    Event,
    FailureFound,
    FailureSaved,
    Progressed,
    Shrunk,
)
from isolation_spec.search.result import ClaimResult, Result
from isolation_spec.search.verification import verify
from tests.report.failing import HOSTILE, LONG, sample, violation_with

ENGINE = "reference+broadcast-to-all"


def lines_of(events: list[tuple[float, Event]]) -> str:
    """`events.jsonl` of these events."""
    fields = ({**msgspec.to_builtins(e), "seconds": s} for s, e in events)
    return "".join(json.dumps(one) + "\n" for one in fields)


@cache
def real_run() -> tuple[bytes, str]:
    """`result.json` and `events.jsonl` of a search that caught something."""
    events: list[tuple[float, Event]] = []
    with tempfile.TemporaryDirectory() as folder:
        result = verify(
            find_engine(ENGINE),
            processes=0,
            folder=Path(folder),
            listen=lambda event: events.append((len(events) * 0.25, event)),
        )
    done = Progressed(
        examples=result.examples, interleavings=result.interleavings, of_examples=110
    )
    events.insert(1, (0.25, done))
    return result.to_json(), lines_of(events)


def write_run(folder: Path, result: bytes, events: str | None) -> Path:
    (folder / "result.json").write_bytes(result)
    if events is not None:
        (folder / "events.jsonl").write_text(events)
    return folder


def page_of_run(result: bytes, events: str | None) -> str:
    with tempfile.TemporaryDirectory() as folder:
        return run_page(load_run(write_run(Path(folder), result, events)))


@cache
def run_page_of() -> str:
    return page_of_run(*real_run())


def a_result(text: str = "x", places: int = 2) -> Result:
    """A result in which every text is this one."""
    return Result(
        engine=text,
        profile=text,
        verdict=Verdict.VIOLATED,
        examples=10,
        interleavings=1000,
        seconds=20.0,
        peak_memory_mb=100.0,
        claims=(
            ClaimResult(id="teardown", verdict=Verdict.HOLDS, evidence=7),
            ClaimResult(
                id=text,
                verdict=Verdict.INCONCLUSIVE,
                evidence=10**12,
                reason=Reason(ReasonKind.CHECK_CRASHED, (text,)),
            ),
        ),
        reached=ActivityCounters(users=3),
        coverage=Coverage(
            operations={text: {text: 3, "returned": 4}},
            places={text: {f"{text}:{n}": (n, n % 2) for n in range(places)}},
        ),
        failures=(text,),
        reasons=(text,),
        seed=1,
        interrupted=True,
    )


@cache
def hostile_run_page() -> str:
    """A page on which every text that the folder can choose is hostile, and catches
    come thick and fast."""
    text = HOSTILE + LONG
    events: list[tuple[float, Event]] = []
    for number in range(12):
        seconds = float(number * number % 7 + number)
        violation = msgspec.structs.replace(
            violation_with(text, 1), claim=f"{text}{number}"
        )
        found = FailureFound(violation=violation, path=text)
        shrunk = Shrunk(claim=violation.claim, before=(9, 9), after=(3, 1), runs=5)
        scenario = sample().failure.scenario
        saved = FailureSaved(
            scenario=scenario, violation=violation, path=text, confirmed=False
        )
        done = Progressed(examples=number, interleavings=number * 80, of_examples=0)
        events += [(seconds, event) for event in (done, found, shrunk, saved)]
    events.sort(key=lambda one: one[0])
    return page_of_run(a_result(text).to_json(), lines_of(events))
