"""Operations, connections, sessions and tools last from one entry to another."""

from isolation_spec.model.history.entries import (
    ConnectionClosed,
    ConnectionOpened,
    OperationEnded,
    OperationStarted,
    ToolRan,
)
from isolation_spec.report.timeline.spans import lasting, spans
from tests.builders import make_entry


def tool(moment: str) -> ToolRan:
    entry: ToolRan = make_entry(
        ToolRan, 1, tool="slow", argument="a", identity=None, moment=moment
    )
    return entry


def test_an_operation_lasts_from_its_start_to_its_end() -> None:
    """The span has the outcome, and the indices of both entries."""
    (span,) = spans(
        [
            make_entry(OperationStarted, 1),
            make_entry(OperationEnded, 1, outcome="failed"),
        ]
    )

    assert ("operation", 0, 1, "failed") == (
        span.kind,
        span.begin,
        span.end,
        span.outcome,
    )


def test_an_open_end_lasts_beyond_the_last_entry() -> None:
    """A connection that is never closed is drawn to the end."""
    opened = make_entry(ConnectionOpened, 1, connection="c")
    closed = make_entry(ConnectionClosed, 1, connection="c", code=1000)

    assert [1] == [span.end for span in spans([opened])]
    assert [1] == [span.end for span in spans([opened, closed])]
    assert [3] == [
        span.end
        for span in spans(
            [opened, *[make_entry(OperationEnded, 9, outcome="failed")] * 2]
        )
    ]


def test_a_tool_has_a_track_of_its_own() -> None:
    """A tool is drawn beside its operation, over all its moments."""
    entries = [
        make_entry(OperationStarted, 1),
        tool("began"),
        tool("went on"),
        tool("ended"),
    ]

    found = spans(entries)

    assert [("operation", 0, 4), ("tool", 1, 3)] == [
        (span.kind, span.begin, span.end) for span in found
    ]
    assert 2 == len(lasting(found))


def test_one_track_covers_all_that_is_drawn_on_it() -> None:
    """The connection of an operation prolongs the operation's track."""
    found = spans(
        [
            make_entry(OperationStarted, 1),
            make_entry(ConnectionOpened, 1, connection="c"),
            make_entry(OperationEnded, 1, outcome="returned"),
            make_entry(ConnectionClosed, 1, connection="c", code=1000),
        ]
    )

    (whole,) = lasting(found).values()

    assert (0, 3) == (whole.begin, whole.end)
