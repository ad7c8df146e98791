"""`isolation-spec report`: one page for a failure, one for a run, and every refusal."""

import json
from pathlib import Path

import pytest

from tests.cli.command import FAULTY, assert_refused, isolation_spec
from tests.cli.conftest import Verified
from tests.in_process import Done
from tests.report.running import a_result, real_run, write_run


def reported(
    verified: Verified, folder: Path, *options: object, **changes: object
) -> Done:
    """Reports the failure file with these fields changed."""
    data = {**json.loads(verified.failure.read_text()), **changes}
    (folder / "changed.json").write_text(json.dumps(data))
    return isolation_spec("report", "changed.json", *options, folder=folder)


def test_a_failure_has_its_page(verified: Verified, tmp_path: Path) -> None:
    """The page is written to the given path and names the violation."""
    done = isolation_spec("report", verified.failure, "-o", "p.html", folder=tmp_path)

    assert (0, "Wrote p.html\n", "") == done
    page = (tmp_path / "p.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "However, a task was still alive" in page.replace(
        '<span class="value-text">', ""
    )


def test_a_page_stands_beside_its_file(verified: Verified, tmp_path: Path) -> None:
    """By default the page has the file's name and lies beside it."""
    done = reported(verified, tmp_path)

    assert (0, "Wrote changed.html\n", "") == done
    assert (tmp_path / "changed.html").is_file()


def test_a_fixed_engine_has_a_page_too(verified: Verified, tmp_path: Path) -> None:
    """The page of an engine without the fault says FIXED and marks no failure."""
    done = reported(verified, tmp_path, "--engine", "reference")

    assert 0 == done.code, done
    page = (tmp_path / "changed.html").read_text()
    assert "not violated" in page
    assert "reference, FIXED" in page
    assert 'class="however"' not in page


def test_an_engine_that_a_file_names_is_not_imported(
    verified: Verified, tmp_path: Path
) -> None:
    """A module named in a file is not imported; the error shows the option for it."""
    (tmp_path / "trap.py").write_text("open('sprung', 'w').close()\n")

    done = reported(verified, tmp_path, engine="trap:factory")

    assert not (tmp_path / "sprung").exists()
    assert not (tmp_path / "changed.html").exists()
    assert_refused(done, "UNSUPPORTED", "--engine trap:factory")


def test_another_file_is_refused(tmp_path: Path) -> None:
    """A file that cannot be read as a failure is refused in one line."""
    (tmp_path / "some.json").write_text("{}")

    assert_refused(isolation_spec("report", "some.json", folder=tmp_path), "some.json")
    assert_refused(isolation_spec("report", "none.json", folder=tmp_path), "none.json")


@pytest.mark.parametrize(
    "arguments",
    [(), ("f.json", "--run", "."), ("--run", ".", "--engine", "reference")],
    ids=["neither", "both", "engine"],
)
def test_one_thing_is_reported(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Neither a file nor a run, both, or options of the other one are refused."""
    assert_refused(isolation_spec("report", *arguments, folder=tmp_path), "--run")


def test_a_page_that_cannot_be_written_is_refused(
    verified: Verified, tmp_path: Path
) -> None:
    """A missing folder is reported in one line."""
    done = reported(verified, tmp_path, "-o", "gone/page.html")

    assert_refused(done, "gone/page.html", "No such file")


def test_a_run_has_its_page(tmp_path: Path) -> None:
    """The page of a run lies in its folder, or at the given path."""
    write_run(tmp_path, *real_run())

    beside = isolation_spec("report", "--run", ".", folder=tmp_path)
    given = isolation_spec("report", "--run", ".", "-o", "run.html", folder=tmp_path)

    assert (0, "Wrote report.html\n", "") == beside
    assert (0, "Wrote run.html\n", "") == given
    assert "event-routing" in (tmp_path / "run.html").read_text()


def test_the_result_of_verify_is_a_run(verified: Verified, tmp_path: Path) -> None:
    """The result of `verify --json` is enough for a page."""
    write_run(tmp_path, verified.json.read_bytes(), None)

    done = isolation_spec("report", "--run", ".", folder=tmp_path)

    assert 0 == done.code, done
    page = (tmp_path / "report.html").read_text()
    assert FAULTY in page
    assert "run agent" in page
    assert "no <code>events.jsonl</code>" in page


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    """A folder without a result, or with a broken one, is refused in one line."""
    done = isolation_spec("report", "--run", ".", folder=tmp_path)
    assert_refused(done, "result.json", "No such file")

    write_run(tmp_path, a_result().to_json(), '{"event": "Progressed"}\n')
    done = isolation_spec("report", "--run", ".", folder=tmp_path)
    assert_refused(done, "events.jsonl line 1")
