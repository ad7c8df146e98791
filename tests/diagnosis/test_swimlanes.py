"""A line an operation, a lane a user, in the order in which they began."""

from typing import Any

import msgspec
from rich.cells import cell_len

from isolation_spec.diagnosis.swimlanes import draw_lanes
from isolation_spec.model.history.entries import OperationEnded, OperationStarted
from isolation_spec.model.history.history import History
from isolation_spec.model.scenario import (
    CleanupUser,
    OpenContext,
    Operation,
    Read,
    RunAgent,
    Shutdown,
    Think,
)
from tests.builders import make_history, make_scenario, make_users

OPERATIONS: tuple[Operation, ...] = (
    OpenContext(id=2, user=0, context="x2", thread="t"),
    Read(id=3, user=1, context="x2", victim=0),
    CleanupUser(id=13, user=0),
    Shutdown(id=14),
)
OWNERS = {2: 0, 3: 1, 13: 0, 14: None}


def moment(kind: Any, number: int, **fields: Any) -> Any:
    return kind(time=0.0, turn=0, operation=number, user=OWNERS[number], **fields)


def begins(number: int) -> Any:
    return moment(OperationStarted, number)


def ends(number: int, outcome: str = "returned") -> Any:
    return moment(OperationEnded, number, outcome=outcome)


def history(
    *entries: Any,
    operations: tuple[Operation, ...] = OPERATIONS,
    labels: tuple[str, ...] = ("alice", "bob"),
) -> History:
    scenario = make_scenario(*operations, users=make_users(*labels))
    return make_history(*entries, scenario=scenario)


def test_operations_stand_as_they_began() -> None:
    """Order and overlap are those of the run, however the scenario lists them
    first."""
    seen = history(
        begins(3), ends(3, "refused"), begins(2), begins(14), ends(2), begins(13)
    )

    assert [
        "  alice  bob  world",
        "          *            3  read x2, naming alice's -> refused",
        "   *                   2  open context x2 on thread 't'",
        "   |           *      14  shutdown",
        "   *           |      13  cleanup user",
    ] == draw_lanes(seen, 80)


def test_what_never_began_comes_last() -> None:
    """Without a run, operations stand as they were written down."""
    assert ["2", "3", "13", "14"] == [
        line.split("*")[1].split()[0] for line in draw_lanes(history(), 80)[1:]
    ]


def test_how_an_operation_ended_is_told_unless_it_returned() -> None:
    """Failed, refused, cancelled: said behind the operation."""
    for outcome, said in (
        ("failed", " -> failed"),
        ("cancelled", " -> cancelled"),
        ("unavailable", " -> names nothing open"),
        ("returned", ""),
    ):
        lines = draw_lanes(history(begins(2), ends(2, outcome)), 80)
        assert lines[1].endswith(f"open context x2 on thread 't'{said}")


def test_a_long_script_takes_three_lines_at_most() -> None:
    """It is carried over below itself, while other lanes go on, and then cut."""
    script = (Think(prompt="x" * 30),) * 20
    long = RunAgent(id=2, user=0, context="x2", script=script)
    seen = history(begins(3), begins(2), operations=(OPERATIONS[1], long))

    lines = draw_lanes(seen, 80)

    assert 5 == len(lines)
    assert lines[-1].endswith(" ...")
    assert all(line.startswith("          |") for line in lines[3:])
    assert max(map(cell_len, lines)) <= 80


def test_many_users_are_named_in_front() -> None:
    """Where lanes would take too much room, each line names its user."""
    labels = ("alice", "bob", *(f"somebody{n}" for n in range(20)))
    lines = draw_lanes(history(labels=labels), 80)

    assert "  alice       2  open context x2 on thread 't'" == lines[0]
    assert 4 == len(lines)


def test_a_label_cannot_steer_the_terminal() -> None:
    """Control characters in a label are escaped, in lanes and in front."""
    for labels in (("al\x1bice", "b"), ("al\x1bice" * 20, "b")):
        for line in draw_lanes(history(labels=labels), 80):
            assert line.isprintable()


def test_a_run_that_is_replaced_keeps_its_lane() -> None:
    """A user's background run goes on in the lane while others begin."""
    run = RunAgent(id=2, user=0, context="x2", script=(), background=True)
    seen = history(begins(2), begins(13), begins(3), operations=(run, *OPERATIONS[1:3]))

    assert "   |      *     3  read x2, naming alice's" == draw_lanes(seen, 80)[-1]
    assert msgspec.structs.asdict(run)["background"]
