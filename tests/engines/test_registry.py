"""Engines are found by their names, and every refusal says what to write."""

import pytest

from isolation_spec.engines.reference.adapter import ReferenceAdapter
from isolation_spec.engines.registry import (
    EngineNotFound,
    find_engine,
    known_engines,
    own_engine,
)

HERE = "isolation_spec.engines.reference.adapter"


@pytest.mark.parametrize("name", ["reference", f"{HERE}:ReferenceAdapter"])
def test_an_engine_is_found_by_its_name(name: str) -> None:
    """A registered name and `module:factory` give the same adapter."""
    engine = find_engine(name)

    assert name == engine.name
    assert "ReferenceAdapter" == engine.adapter_name
    assert type(engine.make_adapter()) is ReferenceAdapter


def test_faults_are_not_listed_as_engines() -> None:
    """The list for users holds the registered engines alone."""
    assert "reference" in known_engines()
    assert not any("+" in name for name in known_engines())


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("referense", "no engine is called 'referense': write one of"),
        ("reference+none", "no planted fault is called 'none': there are"),
        ("mine+stale-read", "faults are planted in 'reference' only, not in 'mine'"),
        ("no_such_module:Adapter", "cannot be imported (ModuleNotFoundError"),
        (f"{HERE}:missing", "cannot be imported (AttributeError"),
        (f"{HERE}:__name__", "is str, not a class or function without arguments"),
        ("builtins:dict", "gave dict: it must be a class or function"),
        ("builtins:len", "could not be made (TypeError"),
    ],
)
def test_a_wrong_name_is_refused(name: str, says: str) -> None:
    """The text names the engine and the form that it should have."""
    with pytest.raises(EngineNotFound) as caught:
        find_engine(name)

    assert says in str(caught.value)


def test_an_adapter_that_is_handed_over_is_named_by_its_factory() -> None:
    """The name can be typed again: `module:factory`."""
    assert f"{HERE}:ReferenceAdapter" == own_engine(ReferenceAdapter).name
