"""Contexts are validated and immutable, and their children have the same owner."""

import copy
import pickle
from dataclasses import FrozenInstanceError

import pytest

from isolation_spec.engines.reference import LimitError, UserExecutionContext
from isolation_spec.engines.reference.frozen import FrozenMapping


def context(**options: object) -> UserExecutionContext:
    return UserExecutionContext("u", "t", "r", **options)  # type: ignore[arg-type]


def test_session_id_is_refused_by_name() -> None:
    """An unknown argument is a TypeError that names the argument to write."""
    with pytest.raises(TypeError, match=r"session_id.*request_id"):
        context(session_id="s")


@pytest.mark.parametrize("value", ["", "  ", None, 7])
@pytest.mark.parametrize("name", ["user_id", "thread_id", "run_id", "request_id"])
def test_identity_is_non_blank_text(name: str, value: object) -> None:
    """Every part of the identity is validated at construction."""
    identity = {"user_id": "u", "thread_id": "t", "run_id": "r", "request_id": "q"}
    if (name, value) == ("request_id", None):
        return
    with pytest.raises(ValueError, match=name):
        UserExecutionContext(**{**identity, name: value})  # type: ignore[arg-type]


def test_metadata_is_copied_and_deeply_frozen() -> None:
    """Neither the caller nor the holder of a context can change its metadata."""
    given = {"a": [1, {"b": {2}}]}
    held = context(metadata=given).metadata
    given["a"].append(3)
    assert held == {"a": (1, FrozenMapping({"b": frozenset({2})}))}
    with pytest.raises(TypeError):
        held["a"] = 1  # type: ignore[index]
    with pytest.raises(AttributeError, match="immutable"):
        held._items = {}  # type: ignore[attr-defined]


@pytest.mark.parametrize("value", [object(), {1: 2}, {"a": {"b": open}}])
def test_live_objects_are_refused(value: object) -> None:
    """A context carries plain data only, never a live object such as a session."""
    with pytest.raises(TypeError, match="metadata"):
        context(metadata={"x": value})
    with pytest.raises(TypeError, match="mapping"):
        context(metadata=["x"])


def test_a_context_is_immutable_and_travels() -> None:
    """It cannot be changed; copies are equal, and it can be pickled."""
    one = context(metadata={"a": 1})
    with pytest.raises(FrozenInstanceError):
        one.user_id = "v"  # type: ignore[misc]
    assert copy.copy(one) is one
    assert copy.deepcopy(one) is one
    assert copy.deepcopy(one.metadata) is copy.copy(one.metadata) is one.metadata
    assert pickle.loads(pickle.dumps(one)) == one
    assert hash(one) == hash(pickle.loads(pickle.dumps(one)))
    assert repr(one.metadata) == "{'a': 1}"
    assert len(one.metadata) == 1


def test_a_child_has_the_same_owner() -> None:
    """A child has a new request id, names its parent and is one level deeper."""
    parent = UserExecutionContext.create(
        user_id="u", thread_id="t", run_id="r", ids=lambda kind: f"{kind}!"
    )
    child = parent.child("look up", ids=lambda kind: "second")
    assert (child.user_id, child.thread_id, child.run_id) == ("u", "t", "r")
    assert (parent.request_id, child.request_id) == ("request!", "second")
    assert child.parent_request_id == "request!"
    assert (child.depth, child.operation_name) == (1, "look up")
    assert parent.child("x").request_id != parent.child("x").request_id


def test_children_are_at_most_ten_deep() -> None:
    """The eleventh level is refused."""
    deepest = context()
    for _ in range(10):
        deepest = deepest.child("down")
    with pytest.raises(LimitError, match="10 levels"):
        deepest.child("down")


def test_a_run_has_its_own_request() -> None:
    """A context for another run has the same owner and may get a request id."""
    home = context(request_id="q")
    assert home.for_run("r2").request_id == "q"
    other = home.for_run("r2", request_id="q2")
    assert (other.run_id, other.request_id, other.parent_request_id, other.depth) == (
        "r2",
        "q2",
        "q",
        0,
    )
    assert home.owns("u", "t")
    assert not home.owns("u", "T")
