"""Objects of the engine that two users reach, and deep mutation of values."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from isolation_spec.execution.object_graph import mutate_deeply, shared_objects
from isolation_spec.model.code_origin import EngineCode

ENGINE = EngineCode([__name__])


@dataclass
class Context:
    """A context of an engine."""

    notes: list[str] = field(default_factory=list)
    cache: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Frozen:
    """An object that cannot change."""

    name: str


class Slotted:
    """A context without a dictionary, and with a property."""

    __slots__ = ("notes",)

    def __init__(self, notes: list[str]) -> None:
        self.notes = notes

    @property
    def computed(self) -> list[str]:
        """Fails where it is computed."""
        raise AssertionError


def test_an_object_that_two_users_reach_is_found() -> None:
    """Both paths are named, each from the object where the walk began."""
    one, other = Context(), Context()
    other.cache["all"] = one.notes

    found = list(shared_objects([(0, (one,)), (1, (other,))], (), ENGINE))

    ((user, owner, path, others_path),) = found
    assert (1, 0) == (user, owner)
    assert "Context.cache['all']" == "".join(map(str, path))
    assert "Context.notes" == "".join(map(str, others_path))


def test_declared_objects_are_shared_on_purpose() -> None:
    """Objects behind a declared object, or behind its attributes, are not reported."""
    shared = Context()
    one, other = Context(cache={"s": shared}), Context(cache={"s": shared})

    assert [] == list(shared_objects([(0, (one,)), (1, (other,))], (shared,), ENGINE))
    assert 1 == len(list(shared_objects([(0, (one,)), (1, (other,))], (), ENGINE)))


def test_attributes_of_declared_objects_are_shared_on_purpose() -> None:
    """An attribute of a declared object may be reached without the object itself."""
    shared = Context()
    one, other = Context(cache={"n": shared.notes}), Context(cache={"n": shared.notes})

    assert [] == list(shared_objects([(0, (one,)), (1, (other,))], (shared,), ENGINE))


def test_what_cannot_change_is_not_shared_state() -> None:
    """A frozen object and text may be reached by everybody."""
    frozen = Frozen("x" * 100)
    one, other = Context(cache={"f": frozen}), Context(cache={"f": frozen})

    assert [] == list(shared_objects([(0, (one,)), (1, (other,))], (), ENGINE))


def test_the_inside_of_a_library_object_is_not_searched() -> None:
    """Two contexts hold one object of a library, and its parts are not looked at."""
    client = SimpleNamespace(headers={})
    one, other = Context(cache={"c": client}), Context(cache={"c": client})

    assert [] == list(shared_objects([(0, (one,)), (1, (other,))], (), ENGINE))


def test_an_object_in_a_slot_is_found() -> None:
    """Slots are looked into, and properties are not computed."""
    notes: list[str] = []
    one, other = Slotted(notes), Slotted(notes)

    found = shared_objects([(0, (one,)), (1, (other,))], (), ENGINE)

    assert ["Slotted.notes"] == ["".join(map(str, path)) for _, _, path, _ in found]


@pytest.mark.parametrize(
    ("thing", "afterwards"),
    [
        ([[]], [["v"], "v"]),
        ({"k": {}}, {"k": {"v": "v"}, "v": "v"}),
        ({1}, {1, "v"}),
        (Context(), Context(["v"], {"v": "v"})),
        (("t", []), ("t", ["v"])),
        ("text", "text"),
    ],
)
def test_every_container_is_written_into(thing: Any, afterwards: Any) -> None:
    """Lists, mappings, sets and public fields are changed at any depth."""
    mutate_deeply(thing, "v")

    assert afterwards == thing
