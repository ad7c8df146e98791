"""The rooms of the house: each may import from a stated set, asserted on the source."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import resolve_name
from typing import NamedTuple

import pytest

from tests.sources import FACE, SOURCES

LOWER = {"model", "contract", "claims", "engines", "world", "execution"}
SEARCHING = {*LOWER, "diagnosis", "failure", "search"}
WAYS_IN = {"cli", "plugin", "adapter_check", "measurement"}
MAY_IMPORT: dict[str, set[str]] = {
    "model": set(),
    "contract": {"model"},
    "claims": {"model", "contract"},
    "engines": {"model", "contract"},
    "world": {"model", "contract"},
    "execution": {"model", "contract", "claims", "world"},
    "diagnosis": {"model", "contract", "claims", "world", "execution"},
    "failure": {*LOWER, "diagnosis"},
    "search": {*LOWER, "diagnosis", "failure", "strategies"},
    "report": {"model", "claims", "diagnosis", "failure", "search"},
    "strategies": {"model", "search", "world"},
    **{way: {*SEARCHING, "report", "strategies", *WAYS_IN} for way in WAYS_IN},
}
"""room -> the rooms that it may import from, besides itself."""


class Import(NamedTuple):
    """One import: its module, the imported module, and whether it waits for a call."""

    module: str
    target: str
    lazy: bool
    typing: bool

    @property
    def rooms(self) -> tuple[str, str]:
        """The importing room and the imported one, "" for anything outside."""
        return room_of(self.module), room_of(self.target)


def room_of(module: str) -> str:
    first, _, rest = module.partition(".")
    return rest.partition(".")[0] or FACE if first == FACE else ""


def imports() -> Iterator[Import]:
    for name, path in SOURCES.items():
        tree = ast.parse(path.read_text())
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        yield from _imports(tree, name, package, lazy=False, typing=False)


def _imports(
    node: ast.AST, name: str, package: str, *, lazy: bool, typing: bool
) -> Iterator[Import]:
    for module in _named(node, package):
        yield Import(name, module, lazy, typing)
    lazy = lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    typing = typing or (
        isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    for child in ast.iter_child_nodes(node):
        yield from _imports(child, name, package, lazy=lazy, typing=typing)


def _named(node: ast.AST, package: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            base = resolve_name("." * node.level + base, package)
        if base == FACE:
            # `from isolation_spec import claims` names a room.
            yield from (f"{FACE}.{alias.name}" for alias in node.names)
        else:
            yield base


IMPORTS = tuple(imports())


def test_every_module_has_its_room() -> None:
    """No module lies outside the rooms, but for the face and its entry point."""
    rooms = {room_of(name) for name in SOURCES}

    assert {FACE, "__main__"} == rooms - set(MAY_IMPORT)


def test_the_reader_of_imports_sees_them() -> None:
    """The test reads real imports: a few that must be there are found."""
    found = {one.rooms for one in IMPORTS}

    assert {("failure", "execution"), ("search", "strategies")} <= found


def test_a_room_imports_from_the_rooms_that_it_may() -> None:
    """No module imports from a room outside the set of its own room."""
    wrong = {
        (one.module, one.target)
        for one in IMPORTS
        if (rooms := one.rooms)[0] in MAY_IMPORT
        and rooms[1] not in {"", rooms[0], *MAY_IMPORT[rooms[0]]}
    }

    assert set() == wrong


def test_the_reference_engine_knows_nothing_of_its_verifier() -> None:
    """The reference engine, but for its adapter, imports nothing else of ours."""
    engine = f"{FACE}.engines.reference"
    wrong = [
        (one.module, one.target)
        for one in IMPORTS
        if one.module.startswith(engine)
        and one.module != f"{engine}.adapter"
        and one.target.startswith(FACE)
        and not one.target.startswith(engine)
    ]

    assert [] == wrong


@pytest.mark.parametrize("tool", ["hypothesis", "pytest"])
def test_test_tools_stay_upstairs(tool: str) -> None:
    """Only strategies and the ways in import Hypothesis or pytest at the top level."""
    wrong = [
        one.module
        for one in IMPORTS
        if one.target.split(".")[0].strip("_") == tool
        and one.rooms[0] not in {"strategies", *WAYS_IN}
        and not one.lazy
    ]

    assert [] == wrong


def test_strategies_are_imported_lazily() -> None:
    """Other rooms import strategies inside functions, or for types."""
    wrong = [
        one
        for one in IMPORTS
        if one.rooms[1] == "strategies"
        and one.rooms[0] not in {"strategies", "measurement"}
        and not (one.lazy or one.typing)
    ]

    assert [] == wrong


def test_replay_needs_no_test_tools() -> None:
    """Loading and replaying a failure imports neither Hypothesis nor strategies."""
    script = (
        "import sys, isolation_spec.failure, isolation_spec.cli.replay\n"
        "tools = {'hypothesis', 'pytest', 'isolation_spec.strategies'}\n"
        "print(tools & set(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert "set()\n" == done.stdout
