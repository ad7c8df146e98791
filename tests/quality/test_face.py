"""The public face: every name is importable from `isolation_spec`, and only lazily."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import isolation_spec


@pytest.mark.parametrize("name", isolation_spec.__all__)
def test_every_public_name_is_importable(name: str) -> None:
    """Each name of `__all__` is an object of the module that the table names."""
    assert getattr(isolation_spec, name) is not None
    assert name in dir(isolation_spec)


def test_type_checkers_and_the_interpreter_see_the_same_names() -> None:
    """The imports for type checkers, the lazy table and `__all__` agree."""
    tree = ast.parse(Path(isolation_spec.__file__).read_text())
    (typing,) = (node for node in tree.body if isinstance(node, ast.If))
    imports = [node for node in typing.body if isinstance(node, ast.ImportFrom)]
    checked = {
        (str(node.module).removeprefix("isolation_spec."), alias.name)
        for node in imports
        for alias in node.names
    }
    lazy = {(m, name) for m, names in isolation_spec._HOME.items() for name in names}

    assert checked == lazy
    assert {name for _, name in lazy} == set(isolation_spec.__all__)


def test_an_unknown_name_is_refused() -> None:
    """A misspelt name raises AttributeError, as a module does, not KeyError."""
    with pytest.raises(AttributeError, match="no attribute 'Adaptor'"):
        _ = isolation_spec.Adaptor


def test_the_package_imports_nothing_until_a_name_is_used() -> None:
    """`import isolation_spec` loads no room, and the contract loads no search."""
    script = (
        "import sys, isolation_spec\n"
        "rooms = lambda: {m.split('.')[1] for m in sys.modules"
        " if m.startswith('isolation_spec.')}\n"
        "print(sorted(rooms()))\n"
        "from isolation_spec import Adapter\n"
        "print(sorted(rooms()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert "[]\n['contract', 'model']\n" == done.stdout
