"""Whole screens, character for character, at 80 and at 120 columns.

The folder `tests/screens/snapshots` holds a file for each screen. After an intended
change, `ISOLATION_RENEW_SCREENS=1 pytest tests/screens` writes them anew; read the
difference before you commit it.
"""

import io
import os
import re
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.console import Console

from isolation_spec.claims import Reason, ReasonKind, Verdict, Violation
from isolation_spec.claims.facts import TransactionKept
from isolation_spec.diagnosis.explanation import Explanation
from isolation_spec.model.history.activity import ActivityCounters
from isolation_spec.model.scenario import (
    OpenContext,
    RunAgent,
    Scenario,
    Schedule,
    Transact,
    User,
    canary,
)
from isolation_spec.report.terminal import COLOURS, Terminal
from isolation_spec.search.events import (
    Event,
    FailureFound,
    FailureSaved,
    Progressed,
    SearchEnded,
    SearchStarted,
    Shrinking,
    Shrunk,
    WorkerCrashed,
)
from isolation_spec.search.result import ClaimResult, Result
from isolation_spec.world.schedulers.pct import Bound

SNAPSHOTS = Path(__file__).with_name("snapshots")
PATH = (
    ".isolation-spec/failures/reference+commit-on-error-database-sessions-616cdcfc.json"
)
REACHED = ActivityCounters(
    users=2650,
    runs_completed=2362,
    tools_run=1030,
    events_delivered=9834,
    handshakes=2744,
    database_sessions=6684,
    cancellations=272,
    cleanups=308,
    attacks=862,
)
VALUE = canary("alice", 3, 1)
SCENARIO = Scenario(
    users=(User(label="alice", id="alice"),),
    operations=(
        OpenContext(id=2, user=0, context="x2", thread="t"),
        RunAgent(
            id=3,
            user=0,
            context="x2",
            script=(Transact(items=(("k", VALUE),), fails=True),),
        ),
    ),
)
VIOLATION = Violation(
    claim="database-sessions",
    clause="not-rolled-back",
    fact=TransactionKept(values=(VALUE,), user=0, operation=3, cancelled=False),
    entry=9,
    users=(0,),
)


def verdicts(**changed: Verdict) -> tuple[ClaimResult, ...]:
    standing = {
        "context_ownership": (Verdict.HOLDS, 17369),
        "database_sessions": (Verdict.HOLDS, 5036),
        "teardown": (Verdict.HOLDS, 2645),
    }
    return tuple(
        ClaimResult(
            id=name.replace("_", "-"),
            verdict=changed.get(name, verdict),
            evidence=0 if name in changed else evidence,
            reason=Reason(ReasonKind.NOT_REACHED) if name in changed else None,
        )
        for name, (verdict, evidence) in standing.items()
    )


def ended(
    verdict: Verdict,
    claims: tuple[ClaimResult, ...],
    reasons: tuple[str, ...] = (),
    reached: ActivityCounters = REACHED,
) -> SearchEnded:
    result = Result(
        engine="reference",
        profile="quick",
        verdict=verdict,
        examples=1234,
        interleavings=6543,
        seconds=12.34,
        peak_memory_mb=160.4,
        claims=claims,
        reached=reached,
        failures=(),
        reasons=reasons,
        seed=0,
    )
    return SearchEnded(result=result)


def start(engine: str = "reference", processes: int = 2) -> SearchStarted:
    return SearchStarted(engine=engine, profile="quick", seed=0, processes=processes)


def screen(
    width: int,
    *events: Event,
    live: bool = False,
    quiet: bool = False,
    seconds_an_event: float = 0.0,
) -> str:
    """Everything that is written on a screen of that width."""
    out = io.StringIO()
    console = Console(
        file=out, width=width, highlight=False, force_terminal=live, no_color=True
    )
    clock = count(0, seconds_an_event)
    show = Terminal(console, live=live, quiet=quiet, clock=lambda: next(clock))
    for event in events:
        show(event)
    show.stop()
    return out.getvalue()


GREEN = (
    start(),
    Progressed(examples=1, interleavings=6, of_examples=110),
    ended(Verdict.HOLDS, verdicts()),
)


EXPLANATION = Explanation(
    claim=(
        "database-sessions: Each database session has one owner, is closed, and is "
        "rolled",
        "back when its work fails or is cancelled.",
    ),
    scenario=(
        "Scenario, operations as they began (* begins, | is under way)",
        "  alice",
        "   *       2  open context x2 on thread 't'",
        "   *       3  run agent in x2: transact k=alice~3.1 and raise -> failed",
    ),
    givens=(
        f"Let a transaction in alice's operation 3 write {VALUE},",
        "and that transaction raised.",
        "Then nothing of it is stored.",
    ),
    observation=(
        f"However, an independent observer read {VALUE} in the end:",
        "contradiction.",
    ),
    choices=("It needs no cancellation and no choice: plain asyncio order is enough.",),
    provenance=(
        f"Provenance of {VALUE} (step, user and operation):",
        "   5 alice 3 born here: its agent is about to transact k=alice~3.1 and raise",
        "  10 alice 3 transact failed: AgentFailure in a transaction",
        "  25 alice stored for 'alice' on 't': k=alice~3.1",
    ),
)

RED = (
    start("reference+commit-on-error"),
    Progressed(examples=3, interleavings=13, of_examples=110),
    FailureFound(violation=VIOLATION, path="unconfirmed.json"),
    Shrunk(claim="database-sessions", before=(14, 3), after=(2, 0), runs=99),
    FailureSaved(
        scenario=SCENARIO,
        violation=VIOLATION,
        path=PATH,
        confirmed=True,
        explanation=EXPLANATION,
    ),
    ended(
        Verdict.VIOLATED,
        verdicts(
            database_sessions=Verdict.VIOLATED, context_ownership=Verdict.INCONCLUSIVE
        ),
        reached=ActivityCounters(users=4),
    ),
)


INCONCLUSIVE = (
    start("mine:Adapter"),
    ended(
        Verdict.INCONCLUSIVE,
        verdicts(
            database_sessions=Verdict.NOT_APPLICABLE, teardown=Verdict.INCONCLUSIVE
        ),
        (
            "teardown: never reached: a user for whom the engine had done something "
            "was cleaned up",
            "never reached: tools_run, database_sessions",
        ),
        ActivityCounters(users=4, runs_completed=2),
    ),
)


INTERRUPTED = (
    start(),
    Progressed(examples=3, interleavings=13, of_examples=110),
    ended(Verdict.INCONCLUSIVE, verdicts(), ("interrupted",)),
)

TIME_UP = (
    SearchStarted(
        engine="reference", profile="fuzz", seed=4711, processes=2, max_time=600
    ),
    WorkerCrashed(path=".isolation-spec/fuzz/reference/broken-off/5.json", engine="x"),
    Progressed(examples=1300, interleavings=22_013, of_examples=0),
    SearchEnded(
        result=msgspec.structs.replace(
            ended(Verdict.HOLDS, verdicts()).result,
            profile="fuzz",
            max_time=600,
            time_up=True,
        )
    ),
)
CASES: dict[str, tuple[tuple[Event, ...], dict[str, Any]]] = {
    "green": (GREEN, {}),
    "red": (RED, {}),
    "inconclusive": (INCONCLUSIVE, {}),
    "interrupted": (INTERRUPTED, {}),
    "time-up": (TIME_UP, {}),
    "live": (RED, {"live": True}),
    "quiet-green": (GREEN, {"quiet": True}),
    "quiet-red": (RED, {"quiet": True}),
    "quiet-inconclusive": (INCONCLUSIVE, {"quiet": True}),
    "log": (GREEN, {"seconds_an_event": 45.0}),
}
SCREENS = pytest.mark.parametrize("width", [80, 120])
each_case = pytest.mark.parametrize("case", CASES)


def visible(text: str) -> str:
    """The text with escape characters that an editor shows."""
    return text.replace("\x1b", "<ESC>").replace("\r", "<CR>")


@SCREENS
@each_case
def test_the_whole_screen(case: str, width: int) -> None:
    """Returns the whole screen."""
    events, options = CASES[case]
    path = SNAPSHOTS / f"{case}-{width}.txt"
    shown = visible(screen(width, *events, **options))
    if os.environ.get("ISOLATION_RENEW_SCREENS"):
        path.write_text(shown, encoding="utf-8")

    assert path.read_text(encoding="utf-8") == shown


def test_every_snapshot_is_compared() -> None:
    """No snapshot is left without its test."""
    expected = {f"{case}-{width}.txt" for case in CASES for width in (80, 120)}

    assert expected == {path.name for path in SNAPSHOTS.iterdir()}


def may_be_long(line: str) -> bool:
    """Paths and commands, which users copy, are never broken."""
    return line.startswith(("Saved in ", "Replay with: ", "Run it again with: "))


def test_the_header_names_the_packages_of_the_engine() -> None:
    """The second line says whose code counts as the engine's, if that is known."""
    named = msgspec.structs.replace(start("app:Driver"), packages=("app", "myapp"))

    assert ["engine: app, myapp"] == screen(80, named).splitlines()[1:]
    assert [] == screen(80, start()).splitlines()[1:]
    assert "" == screen(80, named, quiet=True)


@SCREENS
@each_case
def test_no_line_is_wider_than_the_screen(case: str, width: int) -> None:
    """Lines except paths and commands break at words, without blanks at the end."""
    events, options = CASES[case]
    options = {**options, "live": False}
    lines = screen(width, *events, **options).splitlines()

    assert [] == [line for line in lines if len(line) > width and not may_be_long(line)]
    assert [] == [line for line in lines if line != line.rstrip()]


@pytest.mark.parametrize("width", [40, 80, 120])
def test_what_is_copied_is_in_one_piece(width: int) -> None:
    """The path and the command stand unbroken on a line each, however narrow."""
    lines = screen(width, *RED).splitlines()

    assert f"Saved in {PATH}" in lines
    assert f"Replay with: isolation-spec replay {PATH}" in lines


def test_a_long_script_stays_inside_the_screen() -> None:
    """A run of many steps is broken, too."""
    run = SCENARIO.operations[1]
    assert isinstance(run, RunAgent)
    long = RunAgent(id=4, user=0, context="x2", script=run.script * 4)
    scenario = Scenario(
        users=SCENARIO.users,
        operations=(*SCENARIO.operations, long),
        schedule=Schedule(classes={"4/" + "database/" * 12 + "2": 7}),
    )
    saved = FailureSaved(
        scenario=scenario, violation=VIOLATION, path=PATH, confirmed=True
    )

    lines = screen(80, start(), saved).splitlines()

    assert [] == [line for line in lines if len(line) > 80 and not may_be_long(line)]


def test_markup_in_names_is_shown_as_it_is() -> None:
    """Brackets in an engine's name or in a fact are no formatting."""
    saved = FailureSaved(
        scenario=SCENARIO,
        violation=VIOLATION,
        path="[a].json",
        confirmed=True,
        explanation=Explanation(
            givens=("Let [bold]alice[/bold] be there.", "Then [red]x."),
            observation=("However, [/].",),
        ),
    )

    text = screen(80, start("my[engine]:Adapter"), saved)

    assert "verify my[engine]:Adapter  profile" in text
    assert "Let [bold]alice[/bold] be there." in text
    assert "Saved in [a].json" in text


def test_what_is_said_in_bold_is_bold_to_its_end() -> None:
    """The claim and the contradiction are one unit each, over all of their lines."""
    out = io.StringIO()
    console = Console(file=out, width=80, force_terminal=True, color_system="standard")
    show = Terminal(console, live=False)
    for event in RED:
        show(event)
    lines = out.getvalue().splitlines()
    bold = [re.sub(r"\x1b\[[\d;]*m", "", line) for line in lines if "\x1b[1m" in line]
    red = [line for line in lines if line.startswith("\x1b[1;31m")]

    assert [*EXPLANATION.observation, f"Replay with: isolation-spec replay {PATH}"] == [
        line for line in bold if not line.startswith("claim ")
    ]
    assert list(EXPLANATION.claim) == [
        re.sub(r"\x1b\[[\d;]*m", "", line) for line in red[:2]
    ]
    assert len(red) == 3


def test_what_is_not_deterministic_is_said() -> None:
    """A failure that could not be replayed alike is not shown as confirmed."""
    saved = FailureSaved(
        scenario=SCENARIO, violation=VIOLATION, path=PATH, confirmed=False
    )

    assert "Not deterministic: " in screen(80, saved)
    assert "Not deterministic: " not in screen(80, *RED)


def test_one_process_is_one_process() -> None:
    """The header of a search in one process is in good English."""
    assert "1 process\n" in screen(80, start(processes=1))


def test_nothing_is_live_where_nobody_looks() -> None:
    """Without a terminal the counts on the way are not printed in a short search."""
    assert screen(80, GREEN[0], GREEN[2]) == screen(80, *GREEN)


def test_a_long_search_is_heard_of_in_a_log() -> None:
    """Where no line can be live, one is printed from time to time."""
    progress = [
        Progressed(examples=n, interleavings=n, of_examples=9) for n in range(1, 9)
    ]
    lines = screen(80, start(), *progress, seconds_an_event=20.0).splitlines()

    said = [line for line in lines if "examples" in line]
    assert 1 < len(said) < len(progress)
    assert not any("\x1b" in line for line in lines)


def test_the_live_line_is_one_line() -> None:
    """On a terminal the counts on the way are shown, cut, and end up erased."""
    text = screen(30, start(), GREEN[1], live=True)

    assert "1/110 examples, 6 interleav" in text
    assert "interleavings" not in text
    assert "\x1b[2K" in text


class Terminals(io.StringIO):
    """A file that somebody looks at."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("file", "variables", "is_live", "is_coloured"),
    [
        (Terminals, {"TERM": "xterm-256color"}, True, True),
        (Terminals, {"TERM": "xterm-256color", "NO_COLOR": "1"}, True, False),
        (Terminals, {"TERM": "dumb"}, False, False),
        (io.StringIO, {"TERM": "xterm-256color"}, False, False),
        (io.StringIO, {"TERM": "xterm-256color", "FORCE_COLOR": "1"}, False, True),
    ],
    ids=["terminal", "no-color", "dumb", "log", "log-in-colour"],
)
def test_the_environment_decides_on_colours_and_the_live_line(
    file: Callable[[], io.StringIO],
    variables: dict[str, str],
    is_live: bool,
    is_coloured: bool,
) -> None:
    """A live line is for terminals alone; colours may be forced elsewhere."""
    out = file()
    show = Terminal(Console(file=out, width=80, _environ=variables))
    for event in GREEN:
        show(event)
    show.stop()
    text = out.getvalue()

    assert is_live == ("\x1b[2K" in text)
    assert is_coloured == ("\x1b[32m" in text)


def test_what_a_red_search_did_not_reach_is_no_news() -> None:
    """It is called not reached; a claim whose check crashed is not."""
    unreached = ClaimResult(
        id="teardown",
        verdict=Verdict.INCONCLUSIVE,
        evidence=0,
        reason=Reason(ReasonKind.NOT_REACHED),
    )
    crashed = msgspec.structs.replace(
        unreached, reason=Reason(ReasonKind.CHECK_CRASHED, ("x",))
    )

    assert "teardown  not reached" in screen(80, ended(Verdict.VIOLATED, (unreached,)))
    assert "teardown  inconclusive" in screen(80, ended(Verdict.VIOLATED, (crashed,)))
    assert "not reached" not in screen(80, ended(Verdict.INCONCLUSIVE, (unreached,)))


def test_a_quiet_green_search_is_one_line() -> None:
    """With `--quiet` a green search prints its verdict and no more."""
    assert 1 == len(screen(120, *GREEN, quiet=True).splitlines())


def test_the_live_line_tells_how_far_shrinking_is() -> None:
    """Shrinking shows the size of the scenario and its runs, in one line of 80."""
    shrinking = Shrinking(claim="error-containment", runs=3999, size=(12, 11))

    line = "error-containment: 12 operations, 11 decisions left after 3999 runs"
    assert len(line) < 80
    assert line in screen(80, start(), shrinking, live=True)
    assert line not in screen(80, start(), shrinking)


def test_each_verdict_has_a_colour() -> None:
    """Every verdict has a colour, and no two the same."""
    assert set(Verdict) == set(COLOURS)
    assert len(Verdict) == len(set(COLOURS.values()))


def test_shares_of_the_search_are_told() -> None:
    """Small scopes that were exhausted, and the bound of pure PCT, each if there is
    one."""
    whole = ended(Verdict.HOLDS, verdicts()).result
    bound = Bound(depth=3, runs=96, chains=41, arrivals=153, beyond=2)
    result = msgspec.structs.replace(whole, exhausted=1, pct=bound)

    lines = screen(200, start(), SearchEnded(result=result)).splitlines()

    assert "every order of arrivals of 1 small scope was run" in lines
    assert any(
        line.startswith("pure PCT: 96 runs of depth 3, n = 41 chains, k = 153 arrivals")
        for line in lines
    )
    assert "PCT" not in screen(200, start(), SearchEnded(result=whole))


def test_a_scenario_is_shown_once() -> None:
    """A second claim that the same scenario violates is reported without it."""
    (saved,) = (event for event in RED if isinstance(event, FailureSaved))
    other = msgspec.structs.replace(saved, path="other.json")
    elsewhere = msgspec.structs.replace(
        saved, scenario=msgspec.structs.replace(SCENARIO, operations=())
    )

    again = screen(80, start(), saved, other)
    apart = screen(80, start(), saved, elsewhere)

    assert (1, 2) == (again.count("Scenario, "), apart.count("Scenario, "))
    assert (2, 2) == (again.count("\nHowever, "), apart.count("\nHowever, "))
    assert "\n\nIn the scenario above:\n\nLet " in again
    assert "In the scenario above" not in apart
    assert "Saved in other.json\nReplay with: isolation-spec replay other" in again


def test_what_does_not_repeat_is_named_in_the_story() -> None:
    """The first step that differed stands below the sentence that a replay did."""
    event = FailureSaved(
        scenario=SCENARIO,
        violation=VIOLATION,
        path=PATH,
        confirmed=False,
        difference="at step 7, a step: 'a' in one run, 'b' in the other",
    )

    lines = screen(80, start(), event).splitlines()

    after = lines.index("Not deterministic: a replay in a fresh world differed.") + 1
    assert "First at step 7, a step: 'a' in one run, 'b' in the other" == lines[after]
