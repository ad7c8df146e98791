"""`isolation-spec check-adapter`: its screen and its exit codes."""

import shutil
from pathlib import Path

import pytest

from tests.cli.command import assert_refused, isolation_spec

STRANGERS = Path(__file__).parents[1] / "strangers"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("notebook.py", "bad.py"):
        shutil.copy(STRANGERS / name, tmp_path)
    return tmp_path


def test_a_whole_screen(folder: Path) -> None:
    """The screen has methods, capabilities, claims and the next step, at 80 columns."""
    done = isolation_spec("check-adapter", "notebook:NotebookAdapter", folder=folder)
    lines = done.out.splitlines()

    assert (0, "") == (done.code, done.err)
    assert "isolation-spec check-adapter notebook:NotebookAdapter" == lines[0]
    assert [] == [line for line in lines if len(line) > 80]
    assert "start                         ok" in [line.rstrip() for line in lines]
    assert (
        "connect                       not exercised  'connections' is not declared"
        in [line.rstrip() for line in lines]
    )
    assert (
        "capabilities declared: cancel, erase, identity, memory, tools\n"
        "claims that apply: context-ownership, stored-writes, tool-isolation, \n"
        "error-containment, teardown, noninterference\n"
        "not applicable, for want of: event-routing (connections), event-lifecycle \n"
        "(connections), exact-limits (limits), database-sessions (transactions)\n"
        "\n"
        "Now: isolation-spec verify notebook:NotebookAdapter\n"
    ) in done.out


def test_a_hanging_method_is_named(folder: Path) -> None:
    """A method that blocks the loop is named with its line, below the others."""
    done = isolation_spec(
        "check-adapter", "bad:Always", "--run-timeout", "2", folder=folder
    )
    text = " ".join(done.out.split())

    assert (2, "") == (done.code, done.err)
    assert "run_agent ok" in text
    assert "read breaks the rule Always.read (bad.py:" in text
    assert "Next: Always.read (bad.py:" in text


def test_a_method_that_ends_the_process_is_named(folder: Path) -> None:
    """A method that ends its process ends nothing else."""
    (folder / "gone.py").write_text(
        "import os\n"
        "from notebook import NotebookAdapter\n"
        "class Gone(NotebookAdapter):\n"
        "    async def cleanup_user(self, user):\n"
        "        os._exit(0)\n"
    )
    done = isolation_spec("check-adapter", "gone:Gone", folder=folder)

    assert (2, "") == (done.code, done.err)
    assert "Gone.cleanup_user (gone.py:5 in cleanup_user) ended the process: exit" in (
        " ".join(done.out.split())
    )


def test_a_name_without_an_engine_is_refused(tmp_path: Path) -> None:
    """A name that gives no adapter is refused in one line."""
    assert_refused(isolation_spec("check-adapter", "no:x", folder=tmp_path), "'no:x'")
