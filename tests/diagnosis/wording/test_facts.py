"""Every type of fact has a text, and every field of it is in the text."""

import enum
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isolation_spec.claims.facts import (
    CleanupFailed,
    DiffersFromAlone,
    EventMissing,
    Fact,
    ForeignValue,
    GaugeNotZero,
    Observation,
    OperationFailed,
    RecordedText,
    Shown,
    Surface,
    ToolCallRaised,
)
from isolation_spec.diagnosis.wording import (
    Contradiction,
    describe_violation,
    summarize_violation,
)
from isolation_spec.diagnosis.wording.contradiction import describe_fact
from isolation_spec.model.history.states import Outcome
from isolation_spec.model.scenario import User
from tests.claims.facts import KINDS, OURS, SHOWN, example, has_shown, violation_of

USERS = (User(label="alice", id="id-of-alice"), User(label="bob", id="id-of-bob"))
each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


def described(fact: Any) -> Contradiction:
    return describe_violation(violation_of(fact), USERS)


def whole(text: Contradiction) -> str:
    return "\n".join((*text.let, text.then, text.however))


@each_kind
def test_each_fact_has_a_text_of_its_own(kind: type[Fact]) -> None:
    """The text of a fact is registered for its type, and for no base of it."""
    assert kind in describe_fact.registry


@each_kind
def test_a_text_is_three_clauses(kind: type[Fact]) -> None:
    """Givens, conclusion and observation are there, without notation of Python."""
    text = described(example(kind))

    assert all((text.let, *text.let, text.then, text.however))
    assert not any(part.endswith(".") for part in (*text.let, text.then, text.however))
    assert "None" not in whole(text)
    assert f"{kind.__name__}(" not in whole(text)
    assert "Shown(" not in whole(text)


SILENT = {
    ("ForeignRow", "owner"),
    ("ForgedTokenAccepted", "user"),
    ("TooManyRuns", "user"),
    ("DiffersFromAlone", "details"),
    ("OperationStalled", "operation"),
    ("EventMissing", "value"),
    ("EventOfForeignUser", "event"),
    ("ResourceLeftAlive", "user"),
    ("GaugeNotZero", "user"),
}
"""Fields that the first example of a type does not show, for its other fields do."""


def changed(value: Any) -> Any:
    """Another value of the same type."""
    if isinstance(value, enum.Enum):
        return list(type(value))[-1]
    if isinstance(value, tuple):
        return value * 2
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return "other text"
    if isinstance(value, Shown):
        return Shown("other words")
    if isinstance(value, msgspec.Struct):
        return type(value)(
            **{
                name: changed(one)
                for name, one in msgspec.structs.asdict(value).items()
            }
        )
    return value + 1


@each_kind
def test_no_field_is_hidden(kind: type[Fact]) -> None:
    """Two facts that differ in one field are described in different words."""
    fact = example(kind)
    same = described(fact)
    hidden = {
        (kind.__name__, name)
        for name, value in msgspec.structs.asdict(fact).items()
        if same == described(msgspec.structs.replace(fact, **{name: changed(value)}))
    }

    assert hidden <= SILENT, hidden


@each_kind
def test_the_engines_text_is_shown(kind: type[Fact]) -> None:
    """Text of the engine stands in the description, unless it is redacted."""
    assert has_shown(kind) == (SHOWN in whole(described(example(kind))))


def test_a_violation_is_summarized_in_one_line() -> None:
    """Claim, clause and observation stand in the summary."""
    fact = RecordedText(let=(), then="", however="it was so")

    assert "teardown (unhandled): it was so" == summarize_violation(
        violation_of(fact), USERS
    )


def test_recorded_text_is_printed_as_it_is() -> None:
    """The sentences of version 1 are not changed."""
    fact = RecordedText(let=("a", "b"), then="c", however="d")

    assert (("a", "b"), "c", "d") == described(fact)


VALUE: dict[str, Any] = {"value": OURS, "owner": 1, "reader": 0, "operation": 3}


@pytest.mark.parametrize(
    ("fact", "however"),
    [
        (
            ForeignValue(**VALUE, surface=Surface.STEP, name="think"),
            "the step 'think' of alice's operation 3 showed it",
        ),
        (
            ForeignValue(**VALUE, surface=Surface.TOOL_INPUT, name=Shown("echo")),
            "the input of the tool 'echo' of alice's operation 3 showed it",
        ),
        (
            ForeignValue(**VALUE, surface=Surface.ANSWER),
            "the answer of alice's operation 3 showed it",
        ),
        (
            ForeignValue(**VALUE, surface=Surface.ERROR),
            "the error of alice's operation 3 showed it",
        ),
        (
            msgspec.structs.replace(example(EventMissing), value=None, number=None),
            "it never received any event of run-1",
        ),
        (
            msgspec.structs.replace(example(EventMissing), value=OURS, number=None),
            f"it never received the event of run-1 with {OURS}",
        ),
        (
            msgspec.structs.replace(example(EventMissing), value=None, number=2),
            "it never received event 2 of run-1",
        ),
        (
            OperationFailed(
                user=0, operation=3, ending=Outcome.FAILED, error=Shown("")
            ),
            "it failed",
        ),
        (
            OperationFailed(
                user=0, operation=3, ending=Outcome.REFUSED, error=Shown("no")
            ),
            "it was refused: no",
        ),
        (
            GaugeNotZero(user=None, shut_down=True, gauge="runs", value=None),
            "the engine's own runs read no finite number",
        ),
        (example(ToolCallRaised, shown="no"), "the call raised: no"),
        (example(CleanupFailed, shown="no"), "it failed: no"),
    ],
)
def test_an_observation_has_its_words(fact: Any, however: str) -> None:
    """Each variant of a fact is described in its own words."""
    assert however == described(fact).however


@pytest.mark.parametrize(
    ("observation", "then"),
    [
        (Observation.ANSWER, "the answer of alice's operation 3"),
        (Observation.STEP, "the result of the step 'a' in alice's operation 3"),
        (Observation.TOOL, "the identity of the tool that alice's operation 3 called"),
        (Observation.EVENT, "the event of alice (a, b)"),
        (Observation.CONNECTION, "the end of alice's connection of operation 3"),
        (Observation.ROW, "the stored value of alice (a, b)"),
        (Observation.GAUGE, "the gauge after cleanup of alice (a, b)"),
    ],
)
def test_each_observation_is_named(observation: Observation, then: str) -> None:
    """A difference names the place of the observation, and the solo run's excerpt."""
    fact = DiffersFromAlone(
        together=None,
        alone=Shown("x"),
        user=0,
        observation=observation,
        operation=3,
        details=(Shown("a"), Shown("b")),
    )

    connection = observation is Observation.CONNECTION
    alone = "refused with code x" if connection else "'x'"
    assert (
        ("alice perform the very same operations alone, in the same order",),
        f"{then} is the same as alone: {alone}",
        "beside the others it was: 'nothing'",
    ) == described(fact)


@given(st.sampled_from(KINDS), st.text(max_size=30), st.integers(0, 63))
def test_any_fact_of_a_file_has_a_text(kind: type[Fact], text: str, user: int) -> None:
    """A file may name users that there are not, and say anything."""
    fact = example(kind, shown=text, text=text)
    users = {
        name: user
        for name in ("user", "owner", "reader", "writer")
        if type(getattr(fact, name, None)) is int
    }

    assert described(msgspec.structs.replace(fact, **users)).then is not None
