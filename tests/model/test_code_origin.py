"""Whose code a module or a file is."""

import sysconfig
from pathlib import Path

import pytest

import isolation_spec
from isolation_spec.model.code_origin import (
    EngineCode,
    in_packages,
    is_library,
    is_ours,
    own_path,
)

NAMES = (
    "asyncio_agents",
    "builtins_of_ours",
    "engine",
    "isolation_spec_agents",
    "random_bot",
    "sqlalchemy_agents",
    "websockets_hub",
)
"""Packages whose names begin like those of libraries, and of this package."""
HERE = Path(isolation_spec.__file__).parent
REFERENCE = "isolation_spec.engines.reference"
FAULTS = "isolation_spec.engines.faults"


class Context:
    """A context of an engine in this module."""


def context_of(module: str) -> object:
    return type("Context", (Context,), {"__module__": module})()


@pytest.mark.parametrize("name", NAMES)
def test_a_package_is_known_by_its_exact_name(name: str) -> None:
    """A package that is called like a library, and then some, is not that library."""
    code = EngineCode([f"{name}.adapter"])

    assert code.has_module(name)
    assert code.has_module(f"{name}.core.loop")
    assert not code.has_module(f"{name}_too")
    assert not code.has_module(name.partition("_")[0] if "_" in name else "engines")


def test_packages_hold_what_lies_in_them() -> None:
    """A module lies in a package whose name is followed by a dot, and in no other."""
    assert in_packages("asyncio", ("asyncio",))
    assert in_packages("asyncio.events", ("sqlite3", "asyncio"))
    assert not in_packages("asyncio_agents", ("asyncio",))
    assert not in_packages("asyncio", ("asyncio.events",))


def test_the_package_of_a_context_is_the_engines() -> None:
    """An engine apart from its adapter is known once it has opened a context."""
    code = EngineCode(["adapter"])
    before = code.has_module("myapp.users")
    code.add_context(context_of("myapp.contexts"))

    assert not before
    assert code.has_module("myapp.users")
    assert ("adapter", "myapp") == code.packages


def test_each_member_of_a_tuple_is_a_context() -> None:
    """A handle may be several objects of the engine in one."""
    code = EngineCode(["adapter"])
    code.add_context((context_of("one.a"), context_of("two"), "a thread"))

    assert ("adapter", "one", "two") == code.packages


@pytest.mark.parametrize("context", ["u1", 7, {"user": 1}, Path(), object()])
def test_a_plain_handle_adds_no_package(context: object) -> None:
    """The standard library is never the engine."""
    code = EngineCode(["adapter"])
    code.add_context(context)

    assert ("adapter",) == code.packages


def test_declared_packages_are_all_of_the_engine() -> None:
    """An adapter that declares packages declares all of them, and may name one in
    another."""
    code = EngineCode(["adapter"], ("myapp.core", "helpers"))
    code.add_context(context_of("myapp.contexts"))

    assert ("myapp.core", "helpers") == code.packages
    assert code.has_module("myapp.core.users")
    assert not code.has_module("myapp.contexts")
    assert not code.has_module("adapter")


def test_the_shipped_engine_is_its_package_without_its_adapter() -> None:
    """Of this package, the reference engine and its faults are verified alone."""
    code = EngineCode([f"{FAULTS}.aba", f"{REFERENCE}.adapter"])

    assert (FAULTS, REFERENCE) == code.packages
    assert code.has_module(f"{REFERENCE}.user_engine")
    assert not code.has_module(f"{REFERENCE}.adapter")
    assert not code.has_module("isolation_spec.execution.run")
    assert () == EngineCode(["isolation_spec.engines.langgraph"]).packages


def test_a_file_is_ours_by_its_exact_path(tmp_path: Path) -> None:
    """A user's file of the same name, or in a folder of a similar name, is not ours."""
    ours = HERE / "execution" / "interrupts.py"

    assert "execution/interrupts.py" == own_path(str(ours))
    assert is_ours(str(ours))
    assert not is_ours(str(HERE / "engines" / "reference" / "adapter.py"))
    for file in (
        tmp_path / "my_interrupts.py",
        tmp_path / "execution" / "interrupts.py",
        HERE.parent / f"{HERE.name}_agents" / "core.py",
    ):
        assert not is_ours(str(file))
        assert "" == own_path(str(file))


def test_a_file_of_the_standard_library_is_no_engines(tmp_path: Path) -> None:
    """Installed packages, and folders of similar names, are not the library."""
    library = Path(sysconfig.get_paths()["stdlib"])

    assert is_library(str(library / "asyncio" / "events.py"))
    assert is_library("<frozen importlib>")
    assert not is_library(str(library / "site-packages" / "myapp" / "core.py"))
    assert not is_library(str(library.with_name(f"{library.name}-agents") / "core.py"))
    assert not is_library(str(tmp_path / "core.py"))
