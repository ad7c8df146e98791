"""From an empty folder to a fixed leak, by the commands and the code of the README."""

import re
import shlex
from pathlib import Path

import pytest

from tests.cli.command import environment, isolation_spec
from tests.in_process import Done
from tests.strangers.test_readme import PYTHON, SCRIPT, TEXT, block, run_process

pytestmark = pytest.mark.xdist_group("the adapter of the README")

FIXED = "dict(self.notebook.pages(context.user, context.thread))"
LEAK = """[
            dict(pages)
            for (_, thread), pages in self.notebook.notes.items()
            if pages and thread == context.thread
        ]"""


def leaking() -> str:
    """The adapter of the README; its engine reads by thread and forgets the user."""
    source = PYTHON["notebook"]
    assert 1 == source.count(FIXED)
    return source.replace(FIXED, LEAK)


def run_command(folder: Path, line: str) -> Done:
    """Runs a command line as a user types it."""
    name, *words = shlex.split(line)
    assert "isolation-spec" == name
    return isolation_spec(*words, folder=folder)


def line_of(text: str, start: str) -> str:
    (found,) = {line for line in text.splitlines() if line.startswith(start)}
    return found.removeprefix(start)


class Tutorial:
    """The output of each command of the tutorial."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.adapter = folder / "isolation_adapter.py"
        init, check, verify = block("init").splitlines()
        self.begun = run_command(folder, init)
        self.empty = run_command(folder, check)
        self.adapter.write_text(leaking())
        self.filled = run_command(folder, check)
        self.red = run_command(folder, verify)
        self.file = line_of(self.explanation, "Saved in ")
        self.replay = line_of(self.explanation, "Replay with: ")
        self.again = run_command(folder, self.replay)
        draw = self.replay.replace(" replay ", " report ") + " -o page.html"
        self.drawn = run_command(folder, draw)
        self.adapter.write_text(PYTHON["notebook"])
        self.fixed = run_command(folder, self.replay)
        self.green = run_command(folder, verify)

    @property
    def explanation(self) -> str:
        """The explanation of the leak, among those of all violated claims."""
        parts = re.split(r"^(?=[a-z-]+: [A-Z])", self.red.out, flags=re.MULTILINE)
        (found,) = (part for part in parts if part.startswith("context-ownership: "))
        return found


@pytest.fixture(scope="module")
def tutorial(tmp_path_factory: pytest.TempPathFactory, one_search: None) -> Tutorial:
    return Tutorial(tmp_path_factory.mktemp("empty"))


def test_the_readme_names_the_commands() -> None:
    """Every command of this test stands in the README."""
    for command in ("replay FILE", "report FILE"):
        assert f"`isolation-spec {command}`" in TEXT
    assert "--engine isolation_adapter:MyAdapter" in TEXT


def test_the_skeleton_names_the_next_method(tutorial: Tutorial) -> None:
    """The check of the empty skeleton names the first method to write."""
    assert 0 == tutorial.begun.code, tutorial.begun
    assert 2 == tutorial.empty.code
    assert "Next: MyAdapter.start is not written yet" in tutorial.empty.out


def test_the_check_passes_a_leaking_adapter(tutorial: Tutorial) -> None:
    """The check exercises the adapter only; the leak shows between two users."""
    assert 0 == tutorial.filled.code, tutorial.filled.out


def test_the_explanation_names_the_leak(tutorial: Tutorial) -> None:
    """The explanation names the owner, the reader, the operation and the provenance."""
    assert 1 == tutorial.red.code, tutorial.red
    (let,) = re.findall(
        r"^Let (\S+) be a value that only (\w+) ever wrote", tutorial.explanation, re.M
    )
    canary, owner = let
    assert canary.startswith(f"{owner}~")
    (way,) = re.findall(r"^Provenance of (\S+) ", tutorial.explanation, re.M)
    assert canary == way
    assert re.search(r"^However, .*operation \d+", tutorial.explanation, re.M)
    assert len(tutorial.explanation.partition("\n\nSaved in ")[0].splitlines()) <= 40


def test_the_page_names_the_leak(tutorial: Tutorial) -> None:
    """The page has the same canary and contradiction, and no external resource."""
    assert 0 == tutorial.drawn.code, tutorial.drawn
    page = (tutorial.folder / "page.html").read_text()
    (canary,) = re.findall(r"^Let (\S+) be", tutorial.explanation, re.M)

    assert canary in page
    assert "context-ownership" in page
    assert "However" in page
    assert not re.search(r"(src|href)=[\"']?https?:", page)


def test_replay_distinguishes_before_and_after(tutorial: Tutorial) -> None:
    """It is REPRODUCED with the leak and FIXED without, and then all claims hold."""
    assert (1, "REPRODUCED") == (tutorial.again.code, tutorial.again.out.split(":")[0])
    assert (0, "FIXED") == (tutorial.fixed.code, tutorial.fixed.out.split(":")[0])
    assert 0 == tutorial.green.code, tutorial.green.out
    assert "\nholds: " in tutorial.green.out


def test_the_saved_file_is_a_regression_test(tutorial: Tutorial) -> None:
    """pytest runs each file in the folder of failures as a test."""
    (line,) = (
        line
        for line in block("pytest commands").splitlines()
        if "--isolation-rep" in line
    )
    pytest_, *words = shlex.split(line)
    engine = ("--isolation-engine", "isolation_adapter:MyAdapter")
    done = run_process(
        tutorial.folder,
        SCRIPT.with_name(pytest_),
        *words,
        *engine,
        "-v",
        **environment(),
    )

    assert 0 == done.returncode, done.stdout + done.stderr
    assert re.search(rf"{re.escape(Path(tutorial.file).name)} PASSED", done.stdout)
