"""Every module declares its public names."""

import ast
import importlib
from pathlib import Path

import pytest

from tests.sources import SOURCES


def declared(path: Path) -> tuple[str, ...] | None:
    """The `__all__` that a module writes down, None if it has none."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AnnAssign):
            targets = [node.target]
        else:
            continue
        if node.value and any(getattr(t, "id", "") == "__all__" for t in targets):
            return tuple(ast.literal_eval(node.value))
    return None


def kind_and_name(name: str) -> tuple[int, str]:
    """Constants, then classes, then functions, each by name."""
    if name.isupper():
        return 0, name
    return (1 if name[0].isupper() else 2), name


@pytest.mark.parametrize("path", SOURCES.values(), ids=SOURCES)
def test_a_module_declares_its_public_names(path: Path) -> None:
    """Each module that defines or gathers something public has a sorted `__all__`."""
    names = declared(path)
    tree = ast.parse(path.read_text())
    has_content = any(not isinstance(node, ast.Expr) for node in tree.body)

    if not has_content:
        assert names is None
        return
    assert names is not None
    assert sorted(names, key=kind_and_name) == list(names)
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", SOURCES)
def test_public_names_exist(name: str) -> None:
    """Every name in `__all__` exists."""
    module = importlib.import_module(name)

    missing = [
        public
        for public in getattr(module, "__all__", ())
        if not hasattr(module, public)
    ]

    assert [] == missing
