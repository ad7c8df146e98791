"""The events of a run are compared with the declaration of the adapter."""

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


def messages(**changes: Any) -> list[str]:
    """Returns two events of run-1 as NAMES declares, with changes in the last one."""
    first = {"id": "run-1", "whose": "ann", "kind": "agent_started", "n": 1}
    last = {"id": "run-1", "whose": "ann", "kind": "over", "n": 2, **changes}
    other = {"id": "run-2", "whose": "ann", "kind": "x", "n": 7}
    return [json.dumps(event) for event in (first, other, last)] + ["no JSON"]


def test_declared_names_are_in_order() -> None:
    """Events of other runs, and messages without fields, contradict nothing."""
    assert find_contradiction(NAMES, "run-1", "ann", messages()) is None


@pytest.mark.parametrize(
    ("changes", "expected"),
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
def test_other_names_are_a_contradiction(
    changes: dict[str, Any], expected: str
) -> None:
    """The first difference is reported with the actual values."""
    assert expected == find_contradiction(NAMES, "run-1", "ann", messages(**changes))


def test_a_run_that_nothing_names_is_a_contradiction() -> None:
    """Without an event of the run nothing else can be held against it."""
    expected = "no message names 'run-9' in its field 'id'"

    assert expected == find_contradiction(NAMES, "run-9", "ann", messages())


def test_undeclared_fields_contradict_nothing() -> None:
    """Fields without a name and empty types are not compared."""
    names = EventNames(run="id", user="", type="", number="", begun=(), ended=())

    assert find_contradiction(names, "run-1", "ann", messages(n=9, whose="x")) is None


def test_a_missing_declaration_is_a_hint() -> None:
    """The hint names the difference and the declaration to write."""
    assert (
        "the events are not judged in full, as no message names 'run-1' in its field "
        "'run_id': declare event_names = EventNames(...), with the names that the "
        "engine uses"
    ) == find_unnamed("run-1", "ann", messages())


# In a check of a whole adapter


def problems(names: EventNames | None) -> set[tuple[str, str]]:
    """(method, status) of each result that is not ok, under this declaration."""

    class Declared(ReferenceAdapter):
        event_names = names  # type: ignore[assignment]

    found: list[MethodResult] = []
    check_adapter(own_engine(Declared), found.append, lambda _: None)
    return {(one.method, one.status) for one in found if one.status != "ok"}


def test_a_false_declaration_is_reported() -> None:
    """A false declaration breaks the contract; default names need no declaration."""
    assert ("connect", "breaks") in problems(EventNames(run="id"))
    assert set() == problems(None)


class _Renaming:
    """A client of an engine with another name for the run."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    async def __aiter__(self) -> AsyncIterator[str]:
        async for message in self.client:
            yield message.replace('"run_id"', '"id"')


def test_a_renamed_field_is_reported_until_declared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Events in other words are hinted at, until they are declared."""
    connect = ReferenceAdapter.connect

    async def renamed(self: ReferenceAdapter, user: str, **claims: Any) -> Any:
        return _Renaming(await connect(self, user, **claims))

    monkeypatch.setattr(ReferenceAdapter, "connect", renamed)

    assert {("event_names", "hint")} == problems(None)
    assert set() == problems(EventNames(run="id"))
