"""Whole screens, word for word, at 80 and at 120 columns."""

import io

import pytest
from rich.console import Console

from isolation_spec.claims import Verdict, Violation
from isolation_spec.history import Reached
from isolation_spec.report import (
    ClaimResult,
    Event,
    FailureFound,
    FailureSaved,
    Progressed,
    Result,
    SearchEnded,
    SearchStarted,
    Shrinking,
    Shrunk,
)
from isolation_spec.report.terminal import COLOURS, Terminal
from isolation_spec.scenario import (
    OpenContext,
    RunAgent,
    Scenario,
    Schedule,
    Transact,
    User,
    canary,
)

PATH = (
    ".isolation-spec/failures/reference+commit-on-error-database-sessions-616cdcfc.json"
)
REACHED = Reached(
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
    let=(
        f"a transaction in alice's operation 3 have written {VALUE}",
        "it raised",
    ),
    then="nothing of it is stored",
    however=f"an independent observer read {VALUE} in the end",
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
        )
        for name, (verdict, evidence) in standing.items()
    )


def ended(
    verdict: Verdict,
    claims: tuple[ClaimResult, ...],
    reasons: tuple[str, ...] = (),
    reached: Reached = REACHED,
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


def screen(width: int, *events: Event, terminal: bool = False) -> str:
    """What is left on a screen of that width; blanks at the end are no news."""
    out = io.StringIO()
    console = Console(
        file=out, width=width, highlight=False, force_terminal=terminal, no_color=True
    )
    show = Terminal(console)
    for event in events:
        show(event)
    show.stop()
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


GREEN = (
    start(),
    Progressed(examples=1, interleavings=6, of_examples=110),
    ended(Verdict.HOLDS, verdicts()),
)

GREEN_80 = """\
isolation-spec verify reference  profile quick, seed 0, 2 processes

claim              verdict  evidence
context-ownership  holds      17,369
database-sessions  holds       5,036
teardown           holds       2,645

reached 2,650 users, 2,362 runs completed, 1,030 tools run, 9,834 events
delivered, 2,744 handshakes, 6,684 database sessions, 272 cancellations, 308
cleanups, 862 attacks
holds: 6,543 interleavings of 1,234 examples in 12.3 s, 160 MB
"""

GREEN_120 = """\
isolation-spec verify reference  profile quick, seed 0, 2 processes

claim              verdict  evidence
context-ownership  holds      17,369
database-sessions  holds       5,036
teardown           holds       2,645

reached 2,650 users, 2,362 runs completed, 1,030 tools run, 9,834 events delivered, 2,744 handshakes, 6,684 database
sessions, 272 cancellations, 308 cleanups, 862 attacks
holds: 6,543 interleavings of 1,234 examples in 12.3 s, 160 MB
"""  # noqa: E501

RED = (
    start("reference+commit-on-error"),
    Progressed(examples=3, interleavings=13, of_examples=110),
    FailureFound(violation=VIOLATION, path="unconfirmed.json"),
    Shrunk(claim="database-sessions", before=(14, 3), after=(2, 0), runs=99),
    FailureSaved(scenario=SCENARIO, violation=VIOLATION, path=PATH, confirmed=True),
    ended(
        Verdict.VIOLATED,
        verdicts(database_sessions=Verdict.VIOLATED),
        reached=Reached(users=4),
    ),
)

RED_80 = f"""\
isolation-spec verify reference+commit-on-error  profile quick, seed 0, 2
processes

database-sessions: Each database session has one owner, is closed, and is rolled
back when its work fails or is cancelled.

Scenario
    2  alice  open context x2 on thread 't'
    3  alice  run agent in x2: transact k=alice~3.1~{VALUE[-8:]} and raise

Choices: none, plain asyncio order

Let a transaction in alice's operation 3 have written alice~3.1~{VALUE[-8:]}.
and it raised.
Then nothing of it is stored.
However, an independent observer read alice~3.1~{VALUE[-8:]} in the end:
contradiction.

Saved in {PATH}
Replay with: isolation-spec replay {PATH}

claim              verdict   evidence
context-ownership  holds       17,369
database-sessions  violated         0
teardown           holds        2,645

reached 4 users, 0 runs completed, 0 tools run, 0 events delivered, 0
handshakes, 0 database sessions, 0 cancellations, 0 cleanups, 0 attacks
violated: 6,543 interleavings of 1,234 examples in 12.3 s, 160 MB
"""

RED_120 = f"""\
isolation-spec verify reference+commit-on-error  profile quick, seed 0, 2 processes

database-sessions: Each database session has one owner, is closed, and is rolled back when its work fails or is
cancelled.

Scenario
    2  alice  open context x2 on thread 't'
    3  alice  run agent in x2: transact k=alice~3.1~{VALUE[-8:]} and raise

Choices: none, plain asyncio order

Let a transaction in alice's operation 3 have written alice~3.1~{VALUE[-8:]}.
and it raised.
Then nothing of it is stored.
However, an independent observer read alice~3.1~{VALUE[-8:]} in the end: contradiction.

Saved in {PATH}
Replay with: isolation-spec replay {PATH}

claim              verdict   evidence
context-ownership  holds       17,369
database-sessions  violated         0
teardown           holds        2,645

reached 4 users, 0 runs completed, 0 tools run, 0 events delivered, 0 handshakes, 0 database sessions, 0 cancellations,
0 cleanups, 0 attacks
violated: 6,543 interleavings of 1,234 examples in 12.3 s, 160 MB
"""  # noqa: E501

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
        Reached(users=4, runs_completed=2),
    ),
)

INCONCLUSIVE_80 = """\
isolation-spec verify mine:Adapter  profile quick, seed 0, 2 processes

claim              verdict         evidence
context-ownership  holds             17,369
database-sessions  not applicable         0
teardown           inconclusive           0

reached 4 users, 2 runs completed, 0 tools run, 0 events delivered, 0
handshakes, 0 database sessions, 0 cancellations, 0 cleanups, 0 attacks
inconclusive: teardown: never reached: a user for whom the engine had done
something was cleaned up
inconclusive: never reached: tools_run, database_sessions
inconclusive: 6,543 interleavings of 1,234 examples in 12.3 s, 160 MB
"""

INCONCLUSIVE_120 = """\
isolation-spec verify mine:Adapter  profile quick, seed 0, 2 processes

claim              verdict         evidence
context-ownership  holds             17,369
database-sessions  not applicable         0
teardown           inconclusive           0

reached 4 users, 2 runs completed, 0 tools run, 0 events delivered, 0 handshakes, 0 database sessions, 0 cancellations,
0 cleanups, 0 attacks
inconclusive: teardown: never reached: a user for whom the engine had done something was cleaned up
inconclusive: never reached: tools_run, database_sessions
inconclusive: 6,543 interleavings of 1,234 examples in 12.3 s, 160 MB
"""  # noqa: E501

INTERRUPTED = (
    start(),
    Progressed(examples=3, interleavings=13, of_examples=110),
    ended(Verdict.INCONCLUSIVE, verdicts(), ("interrupted",)),
)

INTERRUPTED_80 = GREEN_80.replace(
    "holds: 6,543", "inconclusive: interrupted\ninconclusive: 6,543"
)
INTERRUPTED_120 = GREEN_120.replace(
    "holds: 6,543", "inconclusive: interrupted\ninconclusive: 6,543"
)

SCREENS = pytest.mark.parametrize(
    ("events", "width", "expected"),
    [
        pytest.param(GREEN, 80, GREEN_80, id="green-80"),
        pytest.param(GREEN, 120, GREEN_120, id="green-120"),
        pytest.param(RED, 80, RED_80, id="red-80"),
        pytest.param(RED, 120, RED_120, id="red-120"),
        pytest.param(INCONCLUSIVE, 80, INCONCLUSIVE_80, id="inconclusive-80"),
        pytest.param(INCONCLUSIVE, 120, INCONCLUSIVE_120, id="inconclusive-120"),
        pytest.param(INTERRUPTED, 80, INTERRUPTED_80, id="interrupted-80"),
        pytest.param(INTERRUPTED, 120, INTERRUPTED_120, id="interrupted-120"),
    ],
)


@SCREENS
def test_the_whole_screen(events: tuple[Event, ...], width: int, expected: str) -> None:
    """What is shown, from the first line to the last."""
    assert expected == screen(width, *events)


@SCREENS
def test_the_words_whatever_the_width(
    events: tuple[Event, ...], width: int, expected: str
) -> None:
    """The same words in the same order, however lines are broken."""
    assert expected.split() == screen(width, *events).split()


def may_be_long(line: str) -> bool:
    """What is copied from the screen is never broken."""
    return line.startswith(("Saved in ", "Replay with: ")) and PATH in line


@SCREENS
def test_no_line_is_wider_than_the_screen(
    events: tuple[Event, ...], width: int, expected: str
) -> None:
    """Lines are broken at words, but for paths and the command that replays."""
    lines = screen(width, *events).splitlines()

    assert [] == [line for line in lines if len(line) > width and not may_be_long(line)]


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
    violation = Violation(
        claim="teardown",
        clause="x",
        let=("[bold]alice[/bold] be there",),
        then="[red]x",
        however="[/]",
        entry=0,
    )
    saved = FailureSaved(
        scenario=SCENARIO, violation=violation, path="[a].json", confirmed=True
    )

    text = screen(80, start("my[engine]:Adapter"), saved)

    assert "verify my[engine]:Adapter " in text
    assert "Let [bold]alice[/bold] be there." in text
    assert "Saved in [a].json" in text


def test_what_is_not_deterministic_is_said() -> None:
    """A failure that could not be replayed alike is not shown as confirmed."""
    saved = FailureSaved(
        scenario=SCENARIO, violation=VIOLATION, path=PATH, confirmed=False
    )

    assert "Not deterministic: " in screen(80, saved)
    assert "Not deterministic: " not in screen(80, *RED)


def test_one_process_is_one_process() -> None:
    """A search in one process says so in good English."""
    assert "1 process\n" in screen(80, start(processes=1))


def test_nothing_is_live_where_nobody_looks() -> None:
    """Without a terminal the counts on the way are not printed at all."""
    assert screen(80, GREEN[0], GREEN[2]) == screen(80, *GREEN)


def test_the_live_line_is_one_line() -> None:
    """On a terminal the counts on the way are shown, and end up erased."""
    text = screen(80, *GREEN, terminal=True)

    assert "1/110 examples, 6 interleavings" in text
    assert "\x1b[2K" in text


def test_the_live_line_tells_how_far_shrinking_is() -> None:
    """What is left of the scenario, and after how many runs, in one line of 80."""
    shrinking = Shrinking(claim="error-containment", runs=3999, size=(12, 11))

    line = "error-containment: 12 operations, 11 decisions left after 3999 runs"
    assert len(line) < 80
    assert line in screen(80, start(), shrinking, terminal=True)
    assert line not in screen(80, start(), shrinking)


def test_each_verdict_has_a_colour() -> None:
    """Every verdict has a colour, and no two the same."""
    assert set(Verdict) == set(COLOURS)
    assert len(Verdict) == len(set(COLOURS.values()))
