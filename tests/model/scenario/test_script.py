"""The steps of an agent's script."""

import typing

import pytest

from isolation_spec.model.scenario.script import (
    Recall,
    Sleep,
    Spawn,
    Step,
    Think,
    permitted,
    tools,
    walk,
)
from tests.builders import make_users


def test_every_step_is_walked_with_its_path() -> None:
    """Steps of a child come after the step that spawns it, under that step's path."""
    inner, think, sleep = Recall(key="k"), Think(prompt="p"), Sleep(seconds=1.0)
    spawn = Spawn(script=(Spawn(script=(inner,)), sleep))

    assert [
        ((0,), think),
        ((1,), spawn),
        ((1, 0), spawn.script[0]),
        ((1, 0, 0), inner),
        ((1, 1), sleep),
    ] == list(walk((think, spawn)))


def test_each_kind_of_step_has_a_tag_of_its_own() -> None:
    """The tag in the field `step` names the kind of a step in a file."""
    kinds = typing.get_args(Step)

    assert len(kinds) == len({kind.__struct_config__.tag for kind in kinds})


@pytest.mark.parametrize(
    ("label", "allowed"), [("alice", {"personal"}), ("bob", set())]
)
def test_tools_are_permitted_by_user(label: str, allowed: set[str]) -> None:
    """One tool is denied to everybody, one to every second user."""
    (user,) = make_users(label)
    permissions = {tool for tool in tools if permitted(tool, user)}

    assert allowed == permissions & {"personal", "forbidden"}
    assert set(tools) - {"personal", "forbidden"} <= permissions
