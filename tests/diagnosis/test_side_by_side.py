"""Both runs side by side: where they part, and where one of them fails."""

from typing import Any

from rich.cells import cell_len

from isolation_spec.claims.facts import CleanupFailed
from isolation_spec.diagnosis.diagnosis import Diagnosis, PassingRun, SplitChoice
from isolation_spec.diagnosis.side_by_side import draw_side_by_side
from isolation_spec.model.history.entries import (
    EventReceived,
    OperationEnded,
    OperationStarted,
)
from isolation_spec.model.history.history import History
from isolation_spec.model.scenario import (
    Cancellation,
    Connect,
    OpenContext,
    Read,
    User,
)
from tests.builders import make_history, make_scenario
from tests.claims.facts import example, violation_of

USERS = (User(label="alice", id="a"), User(label="bob", id="b"))
OPERATIONS = (
    Connect(id=1, user=0, connection="c1"),
    OpenContext(id=2, user=0, context="x2", thread="t"),
    OpenContext(id=3, user=1, context="x3", thread="t"),
    Read(id=4, user=1, context="x3", cancel=Cancellation(step=1)),
)
OWNERS = {1: 0, 2: 0, 3: 1, 4: 1}


def at(kind: Any, operation: int, **fields: Any) -> Any:
    return kind(time=0.0, turn=0, operation=operation, user=OWNERS[operation], **fields)


def begins(operation: int) -> Any:
    return at(OperationStarted, operation)


def ends(operation: int, value: str = "") -> Any:
    return at(OperationEnded, operation, outcome="returned", value=value)


def history(*entries: Any) -> History:
    scenario = make_scenario(*OPERATIONS, users=USERS)
    return make_history(*entries, scenario=scenario)


def beside(here: tuple[Any, ...], there: tuple[Any, ...], step: int) -> list[str]:
    violation = violation_of(example(CleanupFailed), entry=len(here) - 1)
    passing_run = PassingRun(without=SplitChoice(), history=history(*there), step=step)
    story = Diagnosis(
        history=history(*here),
        violation=violation,
        choices=(),
        passing_run=passing_run,
        provenance=(),
    )
    return draw_side_by_side(story, 80)


def cells(line: str) -> tuple[str, str]:
    """Left and right, without blanks and without the number of the step."""
    left, _, right = line[5:].partition("|")
    return left.strip(), right.strip()


ALIKE = (begins(1), ends(1), begins(2), ends(2))


def test_two_steps_alike_and_then_the_difference() -> None:
    """Before the first step that differs stand two that do not; then where it
    fails."""
    lines = beside(
        (*ALIKE, begins(3), ends(3), begins(4), ends(4, "bad")),
        (*ALIKE, begins(4), ends(4, "good")),
        4,
    )

    assert ["step", "3", "4", "5", "...", "8"] == [line.split()[0] for line in lines]
    assert [
        ("alice 2 begins to open context x...",) * 2,
        ("alice 2 returned",) * 2,
    ] == [cells(line) for line in lines[1:3]]
    assert ("bob 4 returned: bad", "bob 4 returned: good") == cells(lines[-1])


def test_what_only_moments_tell_apart_is_passed_over() -> None:
    """The first difference shown is one that a reader can see."""
    lines = beside((*ALIKE, begins(3)), (*ALIKE, begins(4)), 1)

    assert "5" == lines[-1].split()[0]


def test_what_never_comes_is_said() -> None:
    """Where the other run has nothing of that place, it says so."""
    lines = beside((*ALIKE, begins(3), ends(3)), (*ALIKE, begins(4)), 4)

    assert ("bob 3 returned", "(never)") == cells(lines[-1])


def test_what_did_not_come_is_shown_where_it_came() -> None:
    """Where both end alike, the first event that came in the passing run alone."""
    event = at(EventReceived, 1, connection="c1", text="hello")
    lines = beside((*ALIKE, begins(3), ends(2)), (*ALIKE, begins(4), event, ends(2)), 4)

    assert ("(never)", "alice 1 c1 receives hello") == cells(lines[-1])


def test_a_difference_far_in_a_text_is_in_sight() -> None:
    """The difference and its user are shown, and no line is too wide."""
    common = "the same words again and again, before something else comes "
    here, there = ends(4, f"{common}bad"), ends(4, f"{common}good")
    lines = beside((*ALIKE, here), (*ALIKE, there), 4)

    assert "bad" in cells(lines[-1])[0]
    assert "good" in cells(lines[-1])[1]
    assert all(cell.startswith("bob 4 ") for cell in cells(lines[-1]))
    assert max(map(cell_len, lines)) <= 80


def test_a_cancellation_is_no_difference_before_it_comes() -> None:
    """That an operation will be cancelled is not said where it begins."""
    lines = beside((*ALIKE, begins(4)), (*ALIKE, begins(3)), 4)

    assert "cancelled" not in "".join(lines)


def test_without_a_passing_run_there_is_nothing() -> None:
    """No run, no lines."""
    violation = violation_of(example(CleanupFailed))
    story = Diagnosis(
        history=history(),
        violation=violation,
        choices=(),
        passing_run=None,
        provenance=(),
    )

    assert [] == draw_side_by_side(story, 80)
