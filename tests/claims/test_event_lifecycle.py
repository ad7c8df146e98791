"""Event lifecycle: each clause violated alone, and the nearest history that is not."""

import pytest

from isolation_spec.claims.event_lifecycle import EVENT_LIFECYCLE as CLAIM
from isolation_spec.model.event_names import EventNames
from isolation_spec.model.history.entries import Entry
from tests.claims.histories import (
    ALICE,
    CONNECT_ALICE,
    NOT_REACHED,
    PROMISED,
    Judged,
    closed,
    ended,
    event,
    holds,
    judged,
    opened,
    phase,
    run_of,
    scenario,
    started,
    story,
    violated,
)

ALONE = scenario(CONNECT_ALICE, run_of(ALICE))
START, DONE = "agent_started", "agent_completed"
BEGUN, OVER = "tool_executing", "tool_completed"
ENDS = (DONE, "agent_error", "agent_cancelled")


def attended(*entries: Entry, names: EventNames | None = PROMISED) -> Judged:
    """Alice was connected before her run, while it went on, and after it."""
    return judged(
        CLAIM,
        opened(1, ALICE),
        started(3, ALICE, at=1.0),
        *entries,
        ended(3, ALICE),
        phase("cleanup"),
        scenario=ALONE,
        names=names,
    )


def run_with(*types: str, names: EventNames | None = PROMISED) -> Judged:
    return attended(*story(ALICE, *types), names=names)


def overheard(*entries: Entry) -> Judged:
    """Alice connected when her run had begun already."""
    return judged(
        CLAIM,
        started(3, ALICE),
        opened(1, ALICE),
        *entries,
        phase("cleanup"),
        scenario=ALONE,
    )


@pytest.mark.parametrize("end", ENDS)
def test_a_whole_story_holds(end: str) -> None:
    """A start, balanced tools and any one end is one situation."""
    assert holds(1) == run_with(START, "agent_thinking", BEGUN, OVER, BEGUN, OVER, end)


def test_tools_side_by_side_hold() -> None:
    """Tools may overlap, as long as each that began is completed."""
    assert holds(1) == run_with(START, BEGUN, BEGUN, OVER, OVER, DONE)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("other", ENDS)
def test_two_ends_violate(end: str, other: str) -> None:
    """A second last event is one violation, of the same kind or of another."""
    assert violated("two-ends") == run_with(START, end, other)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("late", ["agent_thinking", BEGUN, "progress", ""])
def test_an_event_after_the_end_violates(end: str, late: str) -> None:
    """Anything after the last event is one violation."""
    assert violated("after-the-end") == run_with(START, end, late)


def test_the_last_event_delivered_twice_does_not() -> None:
    """The same number again is routing's to judge: nothing came after the end."""
    events = (*story(ALICE, START, DONE), event(ALICE, DONE, 2))

    assert holds(1) == attended(*events)


def test_an_event_without_a_number_after_the_end_violates() -> None:
    """An engine that numbers nothing must be silent after the end, too."""
    events = story(ALICE, START, DONE, "agent_thinking", numbered=False)

    assert violated("after-the-end") == attended(*events)


def test_two_starts_violate() -> None:
    """A second start is one violation."""
    assert violated("two-starts") == run_with(START, START, DONE)


def test_the_start_delivered_twice_does_not() -> None:
    """The same number again is routing's to judge: the run started once."""
    events = (event(ALICE, START, 1), *story(ALICE, START, DONE))

    assert holds(1) == attended(*events)


@pytest.mark.parametrize("first", ["agent_thinking", "agent_error", ""])
def test_no_start_violates(first: str) -> None:
    """A run whose first event is another one is one violation."""
    types = (first,) if first == "agent_error" else (first, DONE)

    assert violated("no-start") == run_with(*types)


@pytest.mark.parametrize("types", [(START,), (START, "agent_thinking")])
def test_no_end_violates(types: tuple[str, ...]) -> None:
    """A run that has ended and does not say so is one violation."""
    assert violated("no-end") == run_with(*types)


@pytest.mark.parametrize(
    "tools",
    [(BEGUN,), (BEGUN, BEGUN, OVER), (OVER,), (OVER, BEGUN), (BEGUN, OVER, OVER)],
    ids="-".join,
)
def test_unbalanced_tools_violate(tools: tuple[str, ...]) -> None:
    """A tool never completed, or completed before it began, is one violation."""
    assert violated("unbalanced-tool") == run_with(START, *tools, DONE)


# A story that was heard only in part


@pytest.mark.parametrize("types", [("agent_thinking", DONE), (OVER,), (START,)])
def test_a_part_of_a_story_is_not_blamed(types: tuple[str, ...]) -> None:
    """A connection that opens late or closes early cannot show every event."""
    assert NOT_REACHED == overheard(*story(ALICE, *types))


@pytest.mark.parametrize(
    ("types", "clause"),
    [
        ((DONE, DONE), "two-ends"),
        ((DONE, BEGUN), "after-the-end"),
        ((START, START), "two-starts"),
    ],
    ids=["two-ends", "after-the-end", "two-starts"],
)
def test_a_part_of_a_story_may_show_enough(types: tuple[str, ...], clause: str) -> None:
    """A violation in any part of a run shows, however few events were received."""
    assert violated(clause) == overheard(*story(ALICE, *types))


def test_each_run_tells_its_own_story() -> None:
    """A child's start and end stand beside its parent's."""
    child = (
        event(ALICE, START, 1, run="run-3.0"),
        event(ALICE, DONE, 2, run="run-3.0"),
    )
    parent = story(ALICE, START, DONE)

    assert holds(1) == attended(parent[0], *child, parent[1])


# An engine that does not say how it names its events

ANOTHER = (
    event(ALICE, START, 1, run="run-4"),
    event(ALICE, "progress", 2, run="run-4"),
    event(ALICE, DONE, 3, run="run-4"),
)


@pytest.mark.parametrize("types", [(START, "agent_failed"), ("queued", START, DONE)])
def test_a_type_of_the_engine_s_own_may_begin_or_end_a_run(
    types: tuple[str, ...],
) -> None:
    """A type that may be a start or an end is blamed only if names are declared."""
    events = story(ALICE, *types)

    assert NOT_REACHED == attended(*ANOTHER, *events, names=None)
    assert 1 == len(attended(*ANOTHER, *events).clauses)


@pytest.mark.parametrize(
    ("types", "clause"),
    [((START, "progress"), "no-end"), (("progress", DONE), "no-start")],
)
def test_a_type_that_comes_in_between_neither_begins_nor_ends(
    types: tuple[str, ...], clause: str
) -> None:
    """A type that another run went on after, or had begun before, is no end of one."""
    events = story(ALICE, *types)

    assert violated(clause) == attended(*ANOTHER, *events, names=None)


def test_a_whole_story_in_known_words_is_evidence() -> None:
    """An engine that happens to use the known types is judged by them."""
    assert holds(1) == run_with(START, BEGUN, OVER, DONE, names=None)
    assert violated("unbalanced-tool") == run_with(START, BEGUN, DONE, names=None)


def test_a_story_in_other_words_is_no_evidence() -> None:
    """Without a known beginning and end there is nothing to judge by."""
    assert NOT_REACHED == run_with("run.started", "run.ended", names=None)
    assert NOT_REACHED == run_with(START, "run.ended", names=None)

    others = [event(ALICE, t, n, run="run-4") for n, t in enumerate("abc", 1)]
    assert NOT_REACHED == attended(*others, *story(ALICE, "b"), names=None)


def test_a_story_is_read_by_the_names_that_are_declared() -> None:
    """The types that the engine declares begin and end runs and tools."""
    names = EventNames(begun=("a",), ended=("b", "c"), tool_begun=(), tool_ended=())

    assert holds(1) == run_with("a", BEGUN, "c", names=names)
    assert violated("no-end") == run_with("a", DONE, names=names)


def test_what_is_declared_as_nothing_is_not_judged() -> None:
    """Without declared starts and ends, a run owes no start and no end."""
    nothing = EventNames(begun=(), ended=())
    begins, ends = EventNames(ended=()), EventNames(begun=())

    assert NOT_REACHED == run_with("x", names=nothing)
    assert holds(1) == run_with(START, "x", names=begins)
    assert holds(1) == run_with("x", DONE, names=ends)
    assert violated("no-end") == run_with("x", names=ends)


# Evidence


def test_an_empty_history_is_no_evidence() -> None:
    """Where no run was heard, nothing was put to the test."""
    assert NOT_REACHED == judged(CLAIM)


def test_a_run_that_was_not_heard_at_all_is_no_evidence() -> None:
    """Events that never came are routing's to judge."""
    assert NOT_REACHED == run_with()


def test_a_run_whose_listener_left_is_no_evidence() -> None:
    """Only a connection that stays open shows the end of a run."""
    assert NOT_REACHED == attended(*story(ALICE, START), closed(1, ALICE))
