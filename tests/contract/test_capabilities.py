"""Capabilities, and the methods that each requires of an adapter."""

from isolation_spec.contract.adapter import Adapter
from isolation_spec.contract.capabilities import METHODS, Capability


def test_each_required_method_is_an_optional_one_of_adapter() -> None:
    """A capability requires only methods that `Adapter` has and does not force."""
    required = {method for methods in METHODS.values() for method in methods}

    assert set(METHODS) <= set(Capability)
    assert all(callable(getattr(Adapter, method)) for method in required)
    assert set() == required & Adapter.__abstractmethods__


def test_capabilities_are_written_as_their_names() -> None:
    """The value that users read in reports is the lower-case name."""
    assert [one.name.lower() for one in Capability] == [one.value for one in Capability]
