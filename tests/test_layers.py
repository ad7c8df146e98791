"""The house of the design: who may import whom, asserted on the source itself."""

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import isolation_spec
import strategies

ROOTS = {
    "isolation_spec": Path(isolation_spec.__path__[0]),
    "strategies": Path(strategies.__path__[0]),
}

FLOORS = (
    ("event_names", "scenario", "history", "coverage"),
    ("adapter", "engine"),
    ("adapters", "faults"),
    ("world",),
    (
        "awaits",
        "blame",
        "claims",
        "leaving",
        "objects",
        "agenda",
        "recorder",
        "departed",
        "perform",
        "run",
        "determinism",
        "solo",
    ),
    (
        "wording",
        "hops",
        "story",
        "lanes",
        "beside",
        "explain",
        "shrink",
        "stuck",
        "parent_death",
        "watchdog",
        "failure",
        "report",
        "keeping",
    ),
    ("strategies",),
    (
        "interrupts",
        "memory",
        "journal",
        "fuzz",
        "search",
        "shards",
        "confirming",
        "findings",
        "verify",
        "check",
        "workload",
        "score",
        "replays",
        "bench",
    ),
    ("cli", "plugin", "__main__"),
)
"""From the ground; on one floor a room may import from those left of it."""

PLACE = {
    room: (height, position)
    for height, floor in enumerate(FLOORS)
    for position, room in enumerate(floor)
}
FACE = "isolation_spec"
"""The package's own face: it names what stands on all floors, and nobody imports it."""
STRATEGIES = PLACE["strategies"][0]


class Import(NamedTuple):
    """One import: where it stands, what it names, and whether it waits for a call."""

    where: str
    room: str
    module: str
    lazy: bool
    typing: bool

    @property
    def target(self) -> str:
        """The room that is imported from, "" for anything outside the house."""
        return room_of(self.module)


def room_of(module: str) -> str:
    first, _, rest = module.partition(".")
    if first == "strategies":
        return first
    return rest.partition(".")[0] or FACE if first == FACE else ""


def sources() -> Iterator[tuple[str, Path]]:
    """Yields (dotted name, path) of every module of the house."""
    for package, root in ROOTS.items():
        for path in sorted(root.rglob("*.py")):
            parts = (package, *path.relative_to(root).with_suffix("").parts)
            yield ".".join(part for part in parts if part != "__init__"), path


def imports() -> Iterator[Import]:
    for name, path in sources():
        tree = ast.parse(path.read_text())
        is_package = path.name == "__init__.py"
        yield from _imports(tree, name, is_package, lazy=False, typing=False)


def _imports(
    node: ast.AST, name: str, is_package: bool, *, lazy: bool, typing: bool
) -> Iterator[Import]:
    for module in _named(node, name, is_package):
        yield Import(name, room_of(name), module, lazy, typing)
    lazy = lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    typing = typing or (
        isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    for child in ast.iter_child_nodes(node):
        yield from _imports(child, name, is_package, lazy=lazy, typing=typing)


def _named(node: ast.AST, name: str, is_package: bool) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            parts = name.split(".")
            parts = parts[: len(parts) - node.level + is_package]
            base = ".".join([*parts, *([base] if base else [])])
        if base == FACE:
            # `from isolation_spec import history` names a room.
            yield from (f"{FACE}.{alias.name}" for alias in node.names)
        else:
            yield base


IMPORTS = tuple(imports())
SOURCES = dict(sources())


def stands_below(room: str, target: str) -> bool:
    height, position = PLACE[room]
    target_height, target_position = PLACE[target]
    if height == target_height:
        return target_position <= position
    return target_height < height


def test_every_module_has_its_room() -> None:
    """A module that the design does not place is a decision still to be made."""
    rooms = {room_of(name) for name in SOURCES} - {FACE}

    assert set() == rooms - set(PLACE)


def test_the_reader_of_imports_sees_them() -> None:
    """The test reads real imports: a few that must be there are found."""
    found = {(one.room, one.target) for one in IMPORTS}

    assert {("failure", "run"), ("run", "history"), ("verify", "strategies")} <= found


def test_a_module_imports_from_below_or_from_the_left() -> None:
    """No import leads upwards or to the right.

    Except one, inside a function: `reference+FAULT` is a name that adapters resolve,
    and planted faults are made from the reference adapter.
    """
    wrong = {
        (one.where, one.module)
        for one in IMPORTS
        if one.room != FACE and one.target and not stands_below(one.room, one.target)
    }
    resolving = {
        (one.where, one.module)
        for one in IMPORTS
        if (one.where, one.target) == ("isolation_spec.adapters", "faults") and one.lazy
    }

    assert set() == wrong - resolving


def test_nothing_imports_the_face_from_within() -> None:
    """The package's own face stands in front of the house, not inside it."""
    wrong = [
        (one.where, one.module)
        for one in IMPORTS
        if one.target == FACE or (one.target and one.target not in PLACE)
    ]

    assert [] == wrong


def test_the_engine_knows_nothing_of_its_verifier() -> None:
    """The reference engine imports nothing else of the package."""
    targets = {one.target for one in IMPORTS if one.room == "engine"}

    assert targets <= {"engine", ""}


def test_the_world_never_imports_an_adapter() -> None:
    """The world knows the contract, and no engine nor its adapter."""
    targets = {one.target for one in IMPORTS if one.room == "world"}

    assert set() == targets & {"adapters", "engine", "faults"}


@pytest.mark.parametrize("tool", ["hypothesis", "pytest"])
def test_test_tools_stay_upstairs(tool: str) -> None:
    """Hypothesis and pytest are imported from strategies upwards only."""
    wrong = [
        one.where
        for one in IMPORTS
        if one.module.split(".")[0].strip("_") == tool
        and one.room != FACE
        and PLACE[one.room][0] < STRATEGIES
    ]

    assert [] == wrong


def test_strategies_are_imported_lazily_and_from_above_alone() -> None:
    """Only the floors above import strategies, inside functions or for types."""
    wrong = [
        one
        for one in IMPORTS
        if one.target == "strategies"
        and one.room != "strategies"
        and not (
            (one.lazy or one.typing)
            and (one.room == FACE or PLACE[one.room][0] > STRATEGIES)
        )
    ]

    assert [] == wrong


def test_replay_needs_no_test_tools() -> None:
    """Loading and replaying a failure imports neither Hypothesis nor strategies."""
    script = (
        "import sys, isolation_spec.failure, isolation_spec.cli.replay\n"
        "print({'hypothesis', 'pytest', 'strategies'} & set(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert "set()\n" == done.stdout


# Faces


def declared(path: Path) -> tuple[str, ...] | None:
    """The `__all__` that a module writes down, None if it has none."""
    for node in ast.parse(path.read_text()).body:
        targets = node.targets if isinstance(node, ast.Assign) else ()
        if any(getattr(target, "id", "") == "__all__" for target in targets):
            return tuple(ast.literal_eval(node.value))  # type: ignore[attr-defined]
    return None


def kind_and_name(name: str) -> tuple[int, str]:
    """Constants, then classes, then functions, each by name."""
    if name.isupper():
        return 0, name
    return (1 if name[0].isupper() else 2), name


@pytest.mark.parametrize("path", SOURCES.values(), ids=SOURCES)
def test_a_module_says_what_is_public(path: Path) -> None:
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
def test_what_is_public_is_there(name: str) -> None:
    """Every name in `__all__` exists."""
    module = importlib.import_module(name)

    missing = [
        public
        for public in getattr(module, "__all__", ())
        if not hasattr(module, public)
    ]

    assert [] == missing
