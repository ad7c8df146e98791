"""The timeline of a history: lanes, rows, bars, notches, arrows and the way."""

import msgspec
import pytest

from isolation_spec.diagnosis.provenance import trace_provenance
from isolation_spec.execution.run import run
from isolation_spec.model.history.entries import (
    CancellationDelivered,
    EventReceived,
    GaugeRead,
    OperationStarted,
    SessionMoved,
    ToolRan,
)
from isolation_spec.model.history.history import History
from isolation_spec.model.scenario import User
from isolation_spec.report.timeline.layout import MOST_LANES, make_timeline
from isolation_spec.report.timeline.shapes import Timeline
from tests.report.failing import (
    long_history,
    make_adapter,
    sample,
    scenario_of,
    violation_with,
)


def drawn(users: int = 6) -> Timeline:
    one = sample(users)
    hops = trace_provenance(one.history, one.violation)
    return make_timeline(one.history, violation=one.violation, provenance=hops)


def test_every_entry_stands_in_one_row_in_order() -> None:
    """Rows hold all entries, each once, in the order of observation."""
    history = sample(6).history

    held = [i for row in drawn().rows for i in range(row.first, row.last + 1)]

    assert list(range(len(history.entries))) == held
    assert 0 == drawn().left_out


def test_only_gauges_and_moves_of_one_session_share_a_row() -> None:
    """The entries of one row are of one user, at one turn."""
    history = sample(6).history
    shared = [row for row in drawn().rows if row.last > row.first]

    assert shared
    for row in shared:
        entries = history.entries[row.first : row.last + 1]
        assert {type(e) for e in entries} in ({GaugeRead}, {SessionMoved})
        assert 1 == len({(entry.user, entry.turn) for entry in entries})


def test_a_lane_is_a_user_and_the_last_is_the_world() -> None:
    """Each row's mark stands in the lane of its user."""
    timeline = drawn()

    assert [0, 1, 2, 3, 4, 5, None] == [lane.user for lane in timeline.lanes]
    for row in timeline.rows:
        assert row.label == timeline.lanes[row.point.lane].label
        assert row.point.track < timeline.lanes[row.point.lane].tracks


def test_bars_on_one_track_do_not_overlap() -> None:
    """Operations of one user that are under way at once stand beside each other."""
    bars = [bar for bar in drawn().bars if bar.kind == "operation"]

    for bar in bars:
        for other in bars:
            if bar is not other and (bar.lane, bar.track) == (other.lane, other.track):
                assert bar.end < other.begin or other.end < bar.begin
    assert 2 <= len({bar.track for bar in bars if bar.lane == 0})


@pytest.mark.parametrize("kind", ["operation", "connection", "database", "tool"])
def test_everything_that_lasts_has_its_bar(kind: str) -> None:
    """Operations, connections, database sessions and tools are drawn as long as they
    last."""
    history = sample(6).history
    begun = {
        "operation": len(list(history.of(OperationStarted))),
        "connection": 6,
        "database": len({entry.session for entry in history.of(SessionMoved)}),
        "tool": sum(tool.moment == "began" for tool in history.of(ToolRan)),
    }

    bars = [bar for bar in drawn().bars if bar.kind == kind]

    assert begun[kind] == len(bars)
    assert all(bar.begin <= bar.end <= len(drawn().rows) for bar in bars)


def test_an_event_has_an_arrow_from_its_run() -> None:
    """Every event that names a run is the effect of something that this run did."""
    timeline = drawn()
    history = sample(6).history
    effects = {int(arrow.effect.at) for arrow in timeline.arrows}

    events = [r for r in timeline.rows if r.kind == "event_received"]

    assert len(events) == len(list(history.of(EventReceived)))
    assert {timeline.rows.index(row) for row in events} <= effects


def test_a_cancellation_comes_from_the_world() -> None:
    """A cancellation has an arrow from the world's lane, in its own row."""
    timeline = drawn()
    (row,) = [r for r in timeline.rows if r.kind == "cancellation_delivered"]
    assert 1 == len(list(sample(6).history.of(CancellationDelivered)))

    (arrow,) = [a for a in timeline.arrows if a.effect == row.point]

    assert "world" == timeline.lanes[arrow.cause.lane].label
    assert arrow.cause.at == arrow.effect.at


def test_the_way_ends_where_it_fails() -> None:
    """The path goes through each hop, from the owner's lane to the failing row."""
    timeline = drawn()
    one = sample(6)
    (failing,) = [row for row in timeline.rows if row.fails]

    assert failing.point == timeline.path[-1]
    assert (
        failing.hop
        == len(timeline.path)
        == len(trace_provenance(one.history, one.violation))
    )
    assert timeline.path[0].lane != timeline.path[-1].lane
    assert any(part.strong for part in failing.parts)


def test_a_foreign_value_is_strong_and_an_own_one_is_not() -> None:
    """The strong colour is for the value that is elsewhere, and for its way."""
    (value,) = drawn(2).values

    for row in drawn(2).rows:
        for part in row.parts:
            if part.canary:
                strange = part.canary != row.label and row.label != "world"
                assert (part.text == value or strange) is part.strong


def test_awaits_are_notches_between_rows() -> None:
    """Where steps were counted, each await of a shown operation is on its bar."""
    history = run(scenario_of(2), make_adapter, count_steps=True)

    timeline = make_timeline(history)

    assert len(history.awaits) == len(timeline.ticks) > 10
    bars = [bar for bar in timeline.bars if bar.kind == "operation"]
    for tick in timeline.ticks:
        at, lane, track = tick.point.at, tick.point.lane, tick.point.track
        assert any(
            (bar.lane, bar.track) == (lane, track) and bar.begin <= at <= bar.end
            for bar in bars
        )
    assert any("operation" in wait for row in timeline.rows for wait in row.waits)


# Omissions


def test_a_long_run_is_cut_around_what_fails() -> None:
    """So many rows around the failing one are kept, and each gap is counted."""
    history = long_history(2000)

    timeline = make_timeline(history, violation=violation_with("x", 2001), most=50)

    assert 50 == len(timeline.rows)
    assert 1 == len([row for row in timeline.rows if row.fails])
    assert len(history.entries) - 50 == timeline.left_out
    assert timeline.rows[0].first == timeline.rows[0].skipped
    assert all(-0.5 <= bar.begin <= bar.end <= 50 for bar in timeline.bars)


@pytest.mark.parametrize("entry", [0, 3999, 10**9])
def test_what_fails_at_an_edge_is_shown(entry: int) -> None:
    """The failing row may be the first or the last, or missing."""
    timeline = make_timeline(
        long_history(2000), violation=violation_with("x", entry), most=50
    )

    assert 50 == len(timeline.rows)
    assert (entry < 4000) is any(row.fails for row in timeline.rows)


def crowd(users: int) -> History:
    """One operation of each of so many users."""
    history = long_history(users)
    names = tuple(User(label=f"u{n}", id=f"u{n}") for n in range(users))
    scenario = msgspec.structs.replace(history.scenario, users=names)
    entries = tuple(
        msgspec.structs.replace(entry, user=index // 2)
        for index, entry in enumerate(history.entries)
    )
    return msgspec.structs.replace(history, scenario=scenario, entries=entries)


def test_of_a_crowd_the_concerned_have_lanes() -> None:
    """More users than lanes: those of the violation are shown, and the rest counted."""
    violation = msgspec.structs.replace(violation_with("x", 100), users=(50, 60))

    timeline = make_timeline(crowd(64), violation=violation)

    users = [lane.user for lane in timeline.lanes]
    assert MOST_LANES + 1 == len(users)
    assert {50, 60} <= set(users)
    assert 64 - MOST_LANES == timeline.lanes_left_out


def test_a_history_of_nothing_has_no_row() -> None:
    """A run in which nothing was observed is drawn as nothing."""
    empty = msgspec.structs.replace(long_history(1), entries=())

    timeline = make_timeline(empty, violation=violation_with("x", 0))

    assert ((), (), (), ()) == (
        timeline.rows,
        timeline.bars,
        timeline.arrows,
        timeline.path,
    )
