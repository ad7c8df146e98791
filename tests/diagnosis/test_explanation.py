"""An explanation: its sections, their order, and that it stays one screen."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from isolation_spec.claims import CLAIMS, Violation
from isolation_spec.claims.facts import RecordedText
from isolation_spec.diagnosis.ablation import diagnose
from isolation_spec.diagnosis.diagnosis import (
    Choice,
    ClassChoice,
    Diagnosis,
    PassingRun,
    ProvenanceStep,
    ScheduleChoice,
)
from isolation_spec.diagnosis.explanation import explain
from isolation_spec.engines.registry import find_engine
from isolation_spec.execution.run import run
from isolation_spec.model.history.activity import ActivityCounters
from isolation_spec.model.history.entries import (
    OperationEnded,
    OperationStarted,
    PhaseStarted,
)
from isolation_spec.model.history.history import History
from isolation_spec.model.history.states import Outcome, Phase
from isolation_spec.model.scenario import (
    CallTool,
    Cancellation,
    CleanupUser,
    Connect,
    OpenContext,
    Operation,
    Read,
    Remember,
    RunAgent,
    Scenario,
    Schedule,
    Shutdown,
    Think,
    User,
    canary,
)

USERS = (User(label="alice", id="alice"), User(label="bob", id="user_1"))
VIOLATION = Violation(
    claim="teardown",
    clause="alive-task",
    fact=RecordedText(
        let=("alice be cleaned up", "the moon be full"),
        then="nothing of alice is alive",
        however="a task was still alive (beat)",
    ),
    entry=0,
    users=(0,),
)


def unobserved(scenario: Scenario) -> History:
    """A history without entries."""
    return History(
        scenario=scenario,
        entries=(),
        reached=ActivityCounters(),
        schedule=scenario.schedule,
        unused=(),
        arrivals="",
        settled=True,
        choices=0,
        overlapped=False,
    )


def story(*operations: Operation, **changed: Any) -> Diagnosis:
    scenario = Scenario(
        users=USERS, operations=operations or (CleanupUser(id=13, user=1),)
    )
    plain = diagnose(unobserved(scenario), VIOLATION, None)
    return msgspec.structs.replace(plain, **changed)


def explained(diagnosis: Diagnosis, **options: Any) -> tuple[str, ...]:
    """The lines of the explanation."""
    return explain(diagnosis, **options).lines()


START = ClassChoice("13/start")
DATABASE = ClassChoice("13/database")
STARTED = "holding back the start of bob's operation 13"
STORED = "holding back the database's answers to bob's operation 13"


def chosen(choice: Choice, *, needed: bool, tried: bool = True) -> ScheduleChoice:
    return ScheduleChoice(choice=choice, needed=needed, tried=tried)


# Sections


def test_the_story_begins_with_the_claim() -> None:
    """The first lines name the claim and state it."""
    (claim,) = (claim for claim in CLAIMS if claim.id == "teardown")
    lines = explained(story(), width=200)

    assert f"teardown: {claim.statement}" == lines[0]


def test_identities_that_are_not_labels_are_told() -> None:
    """A user is named if the engine knows them by another name."""
    named = [line for line in explained(story()) if line.startswith("To the engine")]

    assert ["To the engine bob is 'user_1'."] == named


def test_identities_that_look_alike_are_told_apart() -> None:
    """The difference of two identities shows, even if a terminal draws them alike."""
    users = (User(label="alice", id="K"), User(label="bob", id="\u212a"))
    scenario = Scenario(users=users, operations=())
    lines = explained(diagnose(unobserved(scenario), VIOLATION, None))

    assert r"To the engine alice is 'K', bob is '\u212a'." in lines


def test_the_contradiction_is_told() -> None:
    """Let, and, Then, However: the facts, in this order."""
    lines = explained(story())
    begin = lines.index("Let alice be cleaned up,")

    assert (
        "Let alice be cleaned up,",
        "and the moon be full.",
        "Then nothing of alice is alive.",
        "However, a task was still alive (beat): contradiction.",
    ) == lines[begin : begin + 4]


@pytest.mark.parametrize(
    ("choices", "expected"),
    [
        (
            (),
            "It needs no cancellation and no choice: plain asyncio order is enough.",
        ),
        ((chosen(START, needed=True),), f"Without {STARTED}, it passes."),
        (
            (chosen(START, needed=False), chosen(DATABASE, needed=False)),
            f"It fails without each of these, too: {STARTED}; {STORED}.",
        ),
        (
            (chosen(START, needed=False), chosen(DATABASE, needed=True)),
            f"Not needed: {STARTED}.",
        ),
        (
            (chosen(START, needed=False, tried=False),),
            f"Not tried without: {STARTED}.",
        ),
    ],
)
def test_what_matters_is_told(
    choices: tuple[ScheduleChoice, ...], expected: str
) -> None:
    """Needed choices are named one by one, others together, and whether they were
    tried."""
    assert expected in explained(story(choices=choices), width=200)


def test_the_neighbours_choice_is_told_once() -> None:
    """The choice that the neighbour goes without stands above it, and nowhere else."""
    one = chosen(START, needed=True)
    passing_run = PassingRun(without=START, history=story().history, step=0)
    lines = explained(story(choices=(one,), passing_run=passing_run), width=200)

    assert [f"Without {STARTED}, it passes. Side by side:"] == [
        line for line in lines if STARTED in line
    ]


def test_provenance_is_told() -> None:
    """Each step is a line with its entry, its user and its operation."""
    scenario = Scenario(users=USERS, operations=(CleanupUser(id=13, user=0),))
    at: dict[str, Any] = {"time": 0.0, "turn": 0}
    entries = (
        OperationStarted(**at, operation=13, user=0),
        OperationEnded(**at, operation=13, user=0, outcome=Outcome.RETURNED, value="x"),
        PhaseStarted(**at, phase=Phase.TEARDOWN),
    )
    history = msgspec.structs.replace(unobserved(scenario), entries=entries)
    provenance = (
        ProvenanceStep(entry=0, user=0, operation=13),
        ProvenanceStep(entry=1, user=0, operation=13, brief=True),
        ProvenanceStep(entry=2, user=None, operation=None),
    )
    lines = explained(story(history=history, provenance=provenance))

    assert (
        "Preceding entries (step, user and operation):",
        "   1 alice 13 begins to cleanup user",
        "   2 alice 13 returned",
        "   3 world the engine is shut down",
    ) == lines[-4:]


# One screen


def shown(text: str) -> tuple[str, ...]:
    """A story in which every text that comes from outside is this one."""
    scenario = Scenario(
        users=(User(label=text[:300], id=text), User(label="b", id="")),
        operations=(
            Connect(id=1, user=0, connection=text),
            RunAgent(id=2, user=1, context=text, script=(Think(prompt=text),) * 9),
            Read(id=3, user=0, context=text, victim=1),
            Shutdown(id=4),
        ),
        schedule=Schedule(classes={f"1/{text}": 1}),
    )
    violation = msgspec.structs.replace(
        VIOLATION, fact=RecordedText(let=(text,) * 9, then=text, however=text)
    )
    return explained(diagnose(unobserved(scenario), violation, None))


@settings(deadline=None)
@given(st.text(max_size=2000))
def test_no_text_breaks_the_screen(text: str) -> None:
    """Any text of a file or an engine: at most 40 lines of 80 cells, all
    printable."""
    lines = shown(text)

    assert len(lines) <= 40
    assert max(map(cell_len, lines)) <= 80
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize(
    "text",
    [
        "\x1b[2J",
        "a\nb",
        "\u202e",
        "\t",
        "\x00",
        "\u5b57" * 500,
        f"a~{'9' * 5000}.1~01234567",
        "{0!r}",
    ],
    ids=["escape", "line", "turned", "tab", "null", "wide", "number", "braces"],
)
def test_hostile_text_is_escaped_and_fits(text: str) -> None:
    """Control characters and turned writing are shown escaped; wide ones fit."""
    lines = shown(text * 3)

    assert len(lines) <= 40
    assert max(map(cell_len, lines)) <= 80
    assert all(line.isprintable() for line in lines)


CROWD = ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi")


def crowd(users: int, operations: int, schedule: Schedule | None = None) -> Scenario:
    """Many users, each with a context, and as many runs as there is room for."""
    asked: list[Operation] = []
    for index in range(operations):
        user, number = index % users, index + 1
        label = CROWD[user]
        if index < users:
            asked.append(
                OpenContext(id=number, user=user, context=f"x{user}", thread="t")
            )
        else:
            script = (
                Remember(key="k", value=canary(label, number, 1)),
                CallTool(tool="echo", argument=canary(label, number, 2)),
            )
            asked.append(
                RunAgent(
                    id=number,
                    user=user,
                    context=f"x{user}",
                    script=script,
                    background=index % 3 == 0,
                    cancel=Cancellation(step=1) if index % 7 == 0 else None,
                )
            )
    return Scenario(
        users=tuple(User(label=label, id=label) for label in CROWD[:users]),
        operations=tuple(asked),
        schedule=schedule or Schedule(),
    )


@pytest.mark.parametrize(("users", "operations"), [(2, 30), (8, 60)])
@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_big_run_is_one_screen(users: int, operations: int, width: int) -> None:
    """An unshrunk run is cut in the middle of its parts, which say so."""
    history = run(crowd(users, operations), find_engine("reference").make_adapter)
    violation = msgspec.structs.replace(
        VIOLATION,
        entry=len(history.entries) - 1,
        fact=RecordedText(let=(), then="", however=canary("alice", 30, 1)),
    )

    lines = explained(diagnose(history, violation, None), width=width)

    assert len(lines) <= 40
    assert max(map(cell_len, lines)) <= width
    assert any("lines left out" in line for line in lines)


CHAINS = ["9/call", "10/start", "x", "1/database/2", f"{'9' * 5000}/start"]


@settings(deadline=None)
@given(
    st.integers(2, 8),
    st.integers(8, 400),
    st.dictionaries(st.sampled_from(CHAINS), st.just(1)),
    st.integers(40, 130),
    st.integers(30, 60),
)
def test_any_scenario_is_one_screen(
    users: int, operations: int, classes: dict[str, int], width: int, most: int
) -> None:
    """However many users, operations and choices, lines and cells stay within
    bounds."""
    scenario = crowd(users, operations, Schedule(classes=classes))

    named = diagnose(unobserved(scenario), VIOLATION, None)
    lines = explained(named, width=width, most=most)

    assert len(lines) <= most
    assert max(map(cell_len, lines)) <= width


def test_what_is_left_out_is_counted() -> None:
    """The lines shown and the lines said to be left out add up to all of them."""
    lines = explained(story(*(CleanupUser(id=n, user=1) for n in range(1, 501))))
    (cut,) = (line for line in lines if "left out" in line)
    shown_ones = sum("cleanup user" in line for line in lines)

    assert 500 == shown_ones + int(cut.split()[1])
    assert 40 == len(lines)


def test_a_short_story_is_not_cut() -> None:
    """A short explanation is printed whole."""
    assert not [line for line in explained(story()) if "left out" in line]
