"""The package, editable or from a wheel, beside a user's own `strategies`."""

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

# One process builds and installs; under pytest-xdist each process would do it again.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("installation")]

ROOT = Path(__file__).parents[2]
BIN = Path(sysconfig.get_path("scripts", vars={"base": ""})).name


def execute(
    folder: Path, *arguments: object, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Runs a command in a folder, away from this source tree."""
    plain = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return subprocess.run(
        [str(argument) for argument in arguments],
        cwd=folder,
        env={**plain, "COLUMNS": "80", "NO_COLOR": "1", **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def make_environment(folder: Path) -> Path:
    """Makes a virtual environment and returns the folder of its commands."""
    venv.create(folder, symlinks=True)
    return folder / BIN


def install(commands: Path, *what: object) -> None:
    """Installs into an environment, by the pip of this one."""
    pip = (sys.executable, "-m", "pip", "--python", commands / "python", "install")
    done = execute(commands, *pip, "-q", *what)
    assert 0 == done.returncode, done.stdout


def build(commands: Path, source: Path, target: str) -> Path:
    """Builds one distribution of a source tree and returns its file."""
    folder = commands.parent / target.replace(":", "-") / source.name
    done = execute(
        source, commands / "python", "-m", "hatchling", "build", "-d", folder, "-t",
        target,
    )  # fmt: skip
    assert 0 == done.returncode, done.stdout
    (path,) = folder.iterdir()
    return path


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that has the build backend."""
    commands = make_environment(tmp_path_factory.mktemp("builder"))
    install(commands, "-c", ROOT / "constraints.txt", "hatchling")
    return commands


@pytest.fixture(scope="module")
def wheel(builder: Path) -> Path:
    """The wheel of this source tree."""
    return build(builder, ROOT, "wheel")


@pytest.fixture(scope="module")
def installed(
    builder: Path, wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """The commands of two environments that have the package, by kind of install."""
    kinds = {"wheel": wheel, "editable": build(builder, ROOT, "wheel:editable")}
    commands = {}
    for kind, file in kinds.items():
        commands[kind] = make_environment(tmp_path_factory.mktemp(kind))
        # Of the dependencies only those whose commands or start-up files are needed.
        pinned = f"pytest=={pytest.__version__}"
        install(commands[kind], "--no-deps", file, pinned)
        (packages,) = commands[kind].parent.glob("lib/python*/site-packages")
        # The others are those of the environment that runs this test.
        (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return commands


# The files


def contents(wheel: Path) -> dict[str, bytes]:
    """The files in a wheel, but for the list of them."""
    with ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/RECORD")]
        return {name: archive.read(name) for name in names}


def test_a_wheel_holds_the_strategies_inside_the_package(wheel: Path) -> None:
    """Every module of `strategies` is in `isolation_spec`, and the top holds no other
    package."""
    names = set(contents(wheel))
    ours = {
        f"isolation_spec/{p.relative_to(ROOT)}" for p in ROOT.glob("strategies/*.py")
    }
    tops = {name.partition("/")[0] for name in names}

    assert ours == {name for name in names if "/strategies/" in name}
    assert ["isolation_spec"] == [top for top in tops if ".dist-info" not in top]


def test_a_wheel_is_typed(wheel: Path) -> None:
    """A type checker reads the annotations of the installed package."""
    assert "isolation_spec/py.typed" in contents(wheel)


def test_a_source_distribution_gives_the_same_wheel(
    builder: Path, wheel: Path, tmp_path: Path
) -> None:
    """A wheel built from the source distribution holds the same bytes."""
    with tarfile.open(build(builder, ROOT, "sdist")) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()

    assert contents(wheel) == contents(build(builder, source, "wheel"))


# Beside a user's own

LAYOUTS = {"package": "strategies/__init__.py", "module": "strategies.py"}
IMPORTS = {
    "ours first": "import isolation_spec.strategies.profiles as ours, strategies",
    "theirs first": "import strategies, isolation_spec.strategies.profiles as ours",
}
ENGINE = """
{imports}
from notebook import NotebookAdapter


class Adapter(NotebookAdapter):
    def __init__(self):
        assert "theirs" == strategies.whose
        assert "quick" == ours.find_profile("quick").name
"""
TEST = """
from engine import Adapter, ours
from isolation_spec import find_engine, verify


def test_both():
    ours.PROFILES = (ours.Profile("quick", examples=3, steps=6, schedules=2),)
    result = verify(find_engine("engine:Adapter"), processes=0)

    assert result.interleavings > 0
"""
WAYS = {
    "pytest": ("pytest", "-q"),
    "python -m pytest": ("python", "-m", "pytest", "-q"),
    "verify": ("isolation-spec", "verify", "engine:Adapter", "--max-time=0.1"),
}
ENDS = {"pytest": (0, "1 passed"), "python -m pytest": (0, "1 passed")}
"""How each way ends; a search as short as this one reaches too little."""


def make_project(folder: Path, layout: str, imports: str) -> Path:
    """A project with its own `strategies`, an engine that imports both, and a test."""
    theirs = folder / LAYOUTS[layout]
    theirs.parent.mkdir(exist_ok=True)
    theirs.write_text("whose = 'theirs'\n")
    notebook = ROOT / "tests" / "strangers" / "notebook.py"
    (folder / "notebook.py").write_text(notebook.read_text())
    (folder / "engine.py").write_text(ENGINE.format(imports=IMPORTS[imports]))
    (folder / "test_engine.py").write_text(TEST)
    return folder


# Of the full product, each way meets each layout in each order, at half the time.
@pytest.mark.parametrize(
    ("kind", "layout", "imports"),
    [
        ("wheel", "package", "ours first"),
        ("wheel", "module", "theirs first"),
        ("editable", "package", "theirs first"),
        ("editable", "module", "ours first"),
    ],
)
@pytest.mark.parametrize("way", WAYS)
def test_a_users_own_strategies_work_beside_ours(
    installed: dict[str, Path],
    tmp_path: Path,
    kind: str,
    way: str,
    layout: str,
    imports: str,
) -> None:
    """Both `strategies` are imported, in either order, and the engine is verified."""
    project = make_project(tmp_path, layout, imports)
    name, *arguments = WAYS[way]
    code, text = ENDS.get(way, (3, "inconclusive: "))

    done = execute(project, installed[kind] / name, *arguments)

    assert code == done.returncode, done.stdout
    assert text in done.stdout


@pytest.mark.parametrize("kind", ["wheel", "editable"])
def test_nothing_else_is_installed(installed: dict[str, Path], kind: str) -> None:
    """Neither `strategies` nor `tests` is importable where a user has none."""
    program = (
        "import importlib.util as u;"
        "print([n for n in ('strategies', 'tests') if u.find_spec(n)])"
    )

    done = execute(installed[kind], installed[kind] / "python", "-c", program)

    assert "[]\n" == done.stdout
