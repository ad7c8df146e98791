"""The words of a page: every kind of entry, canaries, and hidden outputs."""

from typing import Any, get_args

import pytest

from isolation_spec.diagnosis.wording import (
    WHOLE,
    CanariesOnly,
    Reveal,
    engine_texts,
    phrase_moment,
)
from isolation_spec.model.history.entries import (
    AgentStepped,
    CancellationDelivered,
    Entry,
    EventReceived,
    GaugeRead,
    OperationEnded,
    PathStep,
    ToolRan,
)
from isolation_spec.model.scenario import User, canary
from isolation_spec.report.timeline.words import Part, kind_of, parts_of
from tests.report.failing import sample

OWN = canary("alice", 1, 1)
FOREIGN = canary("bob", 2, 1)
SECRET = "postgres://admin:hunter2@db"


def entry_of(kind: Any, text: str) -> Entry:
    """An entry in which every text that an engine gives is this one."""
    fields: dict[str, Any] = {"time": 0.0, "turn": 1, "operation": 1, "user": 0}
    given = {
        "outcome": "returned",
        "move": "began",
        "phase": "operations",
        "moment": "began",
        "path": (),
        "others_path": (PathStep("Desk"), PathStep(key=text)),
        "session": 1,
        "step": 1 if kind is CancellationDelivered else "think",
        "after_step": False,
        "place": "engine:1",
        "code": 1000,
        "value": 1.0 if kind is GaugeRead else text,
        "other": 1,
        "connection": "c",
        "kind": "task",
        "what": "beat",
        "gauge": "connections",
        "tool": "echo",
        "identity": "alice",
        "owner": "alice",
        "thread": "t",
        "key": "k",
        "call": "time.sleep",
        "seconds": 1.0,
        "callback": 1,
        "function": "engine.f",
    }
    names = set(kind.__struct_fields__) - set(fields)
    entry: Entry = kind(**fields, **{name: given.get(name, text) for name in names})
    return entry


def words_of(entry: Entry, reveal: Reveal | None = None) -> str:
    history = sample().history
    reveal = reveal or CanariesOnly(history.scenario.users)
    return str(phrase_moment(history, entry, reveal))


@pytest.mark.parametrize("kind", get_args(Entry), ids=lambda one: one.__name__)
def test_each_kind_of_entry_has_words(kind: Any) -> None:
    """Each kind is described in words, without Python's notation."""
    words = words_of(entry_of(kind, FOREIGN))

    assert words
    assert "None" not in words
    assert words != kind_of(entry_of(kind, FOREIGN)).replace("_", " ")


@pytest.mark.parametrize("kind", get_args(Entry), ids=lambda one: one.__name__)
def test_what_an_engine_gave_is_kept_back(kind: Any) -> None:
    """A value without a canary is hidden; of another, its canaries are shown."""
    assert SECRET not in words_of(entry_of(kind, SECRET))
    assert SECRET not in words_of(entry_of(kind, f"Oops {SECRET} {FOREIGN}"))


@pytest.mark.parametrize("kind", [OperationEnded, AgentStepped, EventReceived, ToolRan])
def test_values_are_told_when_asked_for(kind: Any) -> None:
    """With `values` an engine's outputs are shown; without, they are counted."""
    entry = entry_of(kind, SECRET)

    assert SECRET in words_of(entry, WHOLE)
    assert sum(map(len, engine_texts(entry))) >= len(SECRET)


def test_an_event_is_told_by_type_and_run() -> None:
    """An event's type and run are shown as long as they look like names."""
    event = entry_of(EventReceived, '{"type": "agent_started", "run_id": "run-3"}')
    strange = entry_of(EventReceived, '{"type": "<a b>", "run_id": []}')

    assert "c receives agent_started of run-3" == words_of(event)
    assert "c receives an event" == words_of(strange)


def test_an_error_is_told_by_its_name() -> None:
    """The type of an error is shown; its text only where it carries a canary."""
    reveal = CanariesOnly(())

    assert "KeyError" == reveal.error(f"KeyError {SECRET}")
    assert f"KeyError {FOREIGN}" == reveal.error(f"KeyError 'x' {FOREIGN}")


def test_an_identity_of_nobody_in_the_scenario_is_withheld() -> None:
    """An identity that the engine made up is no more for show than its values."""
    reveal = CanariesOnly((User(label="alice", id="id-of-alice"),))

    assert "'id-of-alice'" == reveal.identity("id-of-alice")
    assert "another identity" == reveal.identity(SECRET)


def test_a_text_is_cut_at_its_canaries() -> None:
    """Each canary is a part of its own; strong where it is not its owner who sees
    it."""
    assert (
        Part("a "),
        Part(OWN, "alice"),
        Part(" b "),
        Part(FOREIGN, "bob", True),
    ) == parts_of(f"a {OWN} b {FOREIGN}", "alice")


def test_the_value_of_the_way_is_strong_everywhere() -> None:
    """The value of the explanation is strong with its owner, too."""
    assert (Part(OWN, "alice", True),) == parts_of(OWN, "alice", (OWN,))


def test_what_only_looks_like_a_canary_is_text() -> None:
    """A canary proves itself by its digest."""
    assert (Part("alice~1.1~00000000"),) == parts_of("alice~1.1~00000000", "bob")


def test_a_long_text_is_shortened() -> None:
    """A part that is too long for a screen is shortened to both its ends."""
    (part,) = parts_of("a" * 1000 + "b" * 1000, None)

    assert len(part.text) < 200
    assert part.text.startswith("aaa")
    assert part.text.endswith("bbb")
