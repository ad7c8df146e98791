"""The declarations of an adapter are checked before anything runs."""

from typing import Any

import msgspec
import pytest

from isolation_spec.contract.capabilities import Capability
from isolation_spec.contract.declarations import check_declarations, short_repr
from isolation_spec.contract.errors import AdapterError
from isolation_spec.engines.reference.adapter import ReferenceAdapter
from isolation_spec.measurement.workloads import NullAdapter
from isolation_spec.model.event_names import EventNames
from tests.contract.whole_adapter import (
    broken,
    said,
)


def refusal(**declared: Any) -> str:
    adapter = type("Mine", (NullAdapter,), declared)
    with pytest.raises(AdapterError) as caught:
        check_declarations(adapter())
    return str(caught.value)


def test_whole_declarations_pass() -> None:
    """The smallest adapter and the fullest one are accepted."""
    check_declarations(NullAdapter())
    check_declarations(ReferenceAdapter())


@pytest.mark.parametrize("varying", ["[0-9]+ ms", ["[0-9]+ ms"], (1,), ("(",)])
def test_varying_is_regular_expressions(varying: Any) -> None:
    """A bare string, a list, a number and a broken expression are refused by name."""
    text = refusal(varying=varying)

    assert text.startswith("Mine.varying must be a tuple of regular expressions, saw ")
    assert "write (r'[0-9]+ ms',)" in text


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "None"), ("x" * 100, "'" + "x" * 59), ([1, 2], "list"), (1.5, "1.5")],
)
def test_a_value_is_shown_in_one_short_line(value: Any, shown: str) -> None:
    """Plain values are shown up to 60 characters, of any other the type alone."""
    assert shown == short_repr(value)


# As the run of a scenario meets them


@pytest.mark.parametrize(
    ("found", "saw"),
    [
        (["tools"], "list"),
        ("tools", "'tools'"),
        (None, "None"),
        (frozenset({"tolls", "memory"}), "'tolls' in it"),
    ],
)
def test_capabilities_are_a_set_of_capability(found: Any, saw: str) -> None:
    """Any other declaration is refused with the value found."""
    assert (
        f"Broken.capabilities must be a set of Capability, saw {saw}: write "
        "frozenset({Capability.TOOLS}), of those that the engine has"
    ) == said(broken("capabilities", found))


@pytest.mark.parametrize(
    ("capability", "method"),
    [
        (Capability.CONNECTIONS, "connect"),
        (Capability.CANCEL, "cancel_run"),
        (Capability.MEMORY, "write"),
        (Capability.ERASE, "erase"),
        (Capability.TRANSACTIONS, "observe"),
    ],
)
def test_a_capability_has_its_methods(capability: Capability, method: str) -> None:
    """A capability without its method is refused before anything runs."""
    assert (
        f"Broken.{method} is not implemented, but the adapter declares the capability "
        f"'{capability}': implement the method or leave the capability out"
    ) == said(broken("capabilities", frozenset({capability})))


def test_refusals_are_exception_classes() -> None:
    """A class alone, though `except` takes one, is not a tuple of classes."""
    assert (
        "Broken.refusals must be a tuple of exception classes, saw type: write "
        "(PermissionError,), of those by which the engine refuses"
    ) == said(broken("refusals", PermissionError))


@pytest.mark.parametrize(
    ("found", "saw"),
    [
        ("myapp", "'myapp'"),
        ((7,), "tuple"),
        (("",), "''"),
        (("isolation_spec", "no_such_package"), "'no_such_package'"),
        (("isolation_spec.no_such_module",), "'isolation_spec.no_such_module'"),
        ((".relative",), "'.relative'"),
    ],
)
def test_packages_can_be_imported(found: Any, saw: str) -> None:
    """The packages of an engine are a tuple of names that Python finds."""
    assert (
        "Broken.packages must be a tuple of the names of packages that can be "
        f"imported, saw {saw}: write ('myapp',), or nothing"
    ) == said(broken("packages", found))


def test_limits_are_those_that_there_are() -> None:
    """A limit by another name would never be tested, so it is refused."""
    assert (
        "Broken.limits must name contexts_per_user, contexts_per_service, "
        "runs_per_context, runs_per_user, runs_per_service, starts_per_context, "
        "starts_per_user, starts_per_service, calls_per_tool or calls_per_service, "
        "saw 'contexts': write {'contexts_per_user': 3}"
    ) == said(broken("limits", {"contexts": 3}))


@pytest.mark.parametrize("found", [0, -1.0, float("inf"), float("nan"), "5", True])
def test_patience_is_a_time(found: Any) -> None:
    """A patience without end would let users wait for one another for ever."""
    assert said(broken("patience", found)).startswith(
        "Broken.patience must be a positive number of seconds, saw "
    )


def test_limits_come_with_their_capability() -> None:
    """Limits without the capability would be declared, and never judged."""
    assert (
        "Broken.limits must be given if and only if 'limits' is declared, saw 1 limits "
        "and no capability: give both or neither"
    ) == said(broken("limits", {"contexts_per_user": 3}))


@pytest.mark.parametrize(
    ("found", "says"),
    [
        ({"run": "id"}, "must be EventNames, or None, saw dict"),
        (
            msgspec.structs.replace(EventNames(), ended="done"),
            "must name fields by strings and types by tuples of strings, saw Expected "
            "`array`, got `str` - at `$.ended`",
        ),
    ],
)
def test_event_names_are_fields_and_types(found: Any, says: str) -> None:
    """Names that no event can have are refused before anything runs."""
    assert (
        f'Broken.event_names {says}: write EventNames(run="run", number=""), or nothing'
    ) == said(broken("event_names", found))


def test_a_method_takes_what_it_is_given() -> None:
    """A method with other parameters is refused before anything runs."""

    async def open_context(self: Any, user: str, thread: str) -> Any:
        return user

    assert (
        "Broken.open_context must take (user, thread, metadata), saw (user, thread): "
        "write 'async def open_context' with those parameters"
    ) == said(broken("open_context", open_context))
