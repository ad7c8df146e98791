"""What the events of a run name is held against what the adapter says."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from isolation_spec.adapter_check.check import check_adapter
from isolation_spec.adapter_check.event_schema import find_contradiction, find_unnamed
from isolation_spec.adapter_check.result import MethodResult
from isolation_spec.engines.reference.adapter import ReferenceAdapter
from isolation_spec.engines.registry import own_engine
from isolation_spec.model.event_names import EventNames

NAMES = EventNames(run="id", user="whose", type="kind", number="n", ended=("over",))


def told(**changes: Any) -> list[str]:
    """Two events of run-1, as NAMES has them but for what is changed in the last."""
    first = {"id": "run-1", "whose": "ann", "kind": "agent_started", "n": 1}
    last = {"id": "run-1", "whose": "ann", "kind": "over", "n": 2, **changes}
    other = {"id": "run-2", "whose": "ann", "kind": "x", "n": 7}
    return [json.dumps(event) for event in (first, other, last)] + ["no JSON"]


def test_what_is_named_as_declared_is_in_order() -> None:
    """Events of other runs, and messages that are none, contradict nothing."""
    assert find_contradiction(NAMES, "run-1", "ann", told()) is None


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"whose": "u7"}, "their fields 'whose' are ['ann', 'u7'], not ['ann', 'ann']"),
        ({"n": 5}, "their fields 'n' are [1, 5], not [1, 2]"),
        ({"kind": "done"}, "the last one has the type 'done', not over"),
        (
            {"id": "run-3", "kind": "over"},
            "the last one has the type 'agent_started', not over",
        ),
    ],
)
def test_what_is_named_otherwise_is_a_contradiction(
    changes: dict[str, Any], says: str
) -> None:
    """The first thing that is not as declared is said, with what was found."""
    assert says == find_contradiction(NAMES, "run-1", "ann", told(**changes))


def test_a_run_that_nothing_names_is_a_contradiction() -> None:
    """Without an event of the run nothing else can be held against it."""
    says = "no message names 'run-9' in its field 'id'"

    assert says == find_contradiction(NAMES, "run-9", "ann", told())


def test_what_is_not_declared_contradicts_nothing() -> None:
    """A field without a name and types that are none are not asked for."""
    names = EventNames(run="id", user="", type="", number="", begun=(), ended=())

    assert find_contradiction(names, "run-1", "ann", told(n=9, whose="x")) is None


def test_what_nobody_declared_is_said_where_it_is_not_found() -> None:
    """The hint names what is missing, and what to declare."""
    assert (
        "the events are not judged in full, as no message names 'run-1' in its field "
        "'run_id': declare event_names = EventNames(...), with the names that the "
        "engine uses"
    ) == find_unnamed("run-1", "ann", told())


# In a check of a whole adapter


def said(names: EventNames | None) -> set[tuple[str, str]]:
    """(method, status) of all that is not in order where the adapter declares that."""

    class Declared(ReferenceAdapter):
        event_names = names  # type: ignore[assignment]

    found: list[MethodResult] = []
    check_adapter(own_engine(Declared), found.append, lambda _: None)
    return {(one.method, one.status) for one in found if one.status != "ok"}


def test_an_adapter_is_told_what_its_events_do_not_name() -> None:
    """A false declaration breaks the contract; known names need none."""
    assert ("connect", "breaks") in said(EventNames(run="id"))
    assert set() == said(None)


class _Renaming:
    """A client of an engine that calls the run otherwise."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    async def __aiter__(self) -> AsyncIterator[str]:
        async for message in self.client:
            yield message.replace('"run_id"', '"id"')


def test_an_adapter_is_told_what_to_declare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events in other words are hinted at, until they are declared."""
    connect = ReferenceAdapter.connect

    async def renamed(self: ReferenceAdapter, user: str, **claims: Any) -> Any:
        return _Renaming(await connect(self, user, **claims))

    monkeypatch.setattr(ReferenceAdapter, "connect", renamed)

    assert {("event_names", "hint")} == said(None)
    assert set() == said(EventNames(run="id"))
