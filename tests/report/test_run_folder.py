"""The folder of a run: reading it, and refusing broken files."""

from pathlib import Path

import msgspec
import pytest

from isolation_spec.report.run_folder import BadRunFolder, Catch, load_run
from isolation_spec.search.events import Event, FailureFound, Progressed, Shrunk
from tests.report.failing import violation_with
from tests.report.running import a_result, lines_of, real_run, write_run

RESULT = a_result().to_json()


def progressed(interleavings: int) -> Progressed:
    return Progressed(examples=1, interleavings=interleavings, of_examples=10)


@pytest.mark.slow
def test_a_real_run_is_read_whole(tmp_path: Path) -> None:
    """The result and each catch of a real search come back."""
    run = load_run(write_run(tmp_path, *real_run()))

    assert run.timed
    assert "reference+broadcast-to-all" == run.result.engine
    assert {Path(path).name for path in run.result.failures} == {
        Path(catch.path).name for catch in run.catches
    }
    assert all(catch.confirmed and catch.shrunk for catch in run.catches)
    assert all(catch.seconds <= (catch.saved or 0) for catch in run.catches)


def test_a_run_without_events_is_read(tmp_path: Path) -> None:
    """Without `events.jsonl` the result alone is read, and that is known."""
    run = load_run(write_run(tmp_path, RESULT, None))

    assert (False, (), ()) == (run.timed, run.progress, run.catches)
    assert a_result() == run.result


def test_a_catch_knows_how_far_the_search_was(tmp_path: Path) -> None:
    """A catch is placed by the progress before it."""
    violation = violation_with("seen", 3)
    events: list[tuple[float, Event]] = [
        (1.0, progressed(7)),
        (2.0, FailureFound(violation=violation, path="f.json", observation="seen")),
        (3.0, progressed(9)),
        (4.0, Shrunk(claim=violation.claim, before=(8, 2), after=(3, 0), runs=5)),
    ]

    run = load_run(write_run(tmp_path, RESULT, lines_of(events)))

    assert (
        Catch(
            claim="context-ownership",
            observation="seen",
            seconds=2.0,
            interleavings=7,
            path="f.json",
            shrunk=(8, 3),
        ),
    ) == run.catches


def test_a_long_run_is_sampled(tmp_path: Path) -> None:
    """Of very many moments a bounded sample is kept, from first to last."""
    events = lines_of([(n * 0.1, progressed(n)) for n in range(20_000)])

    progress = load_run(write_run(tmp_path, RESULT, events)).progress

    assert 100 < len(progress) <= 401
    assert 1900 < progress[-1].seconds < 2000
    assert sorted(progress, key=lambda one: one.seconds) == list(progress)


@pytest.mark.parametrize(
    "result",
    [b"", b"{", b"\xff", b"[]", b"[" * 100_000, RESULT.replace(b"violated", b"fine")],
    ids=["empty", "cut", "not-utf8", "list", "deep", "verdict"],
)
def test_a_broken_result_is_refused(tmp_path: Path, result: bytes) -> None:
    """A file of another form is refused in one line that names it."""
    with pytest.raises(BadRunFolder, match=r"result\.json is no result: .") as caught:
        load_run(write_run(tmp_path, result, None))

    assert 1 == len(str(caught.value).splitlines())


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{",
        "[]",
        '{"seconds": 1}',
        '{"event": "Nothing", "seconds": 1}',
        '{"event": "Progressed", "seconds": 1}',
        lines_of([(0.5, progressed(2))]).strip(),
        lines_of([(2.0, progressed(2))]).strip().replace("2.0", "1e999"),
        lines_of([(2.0, progressed(2))]).strip().replace("2.0", "NaN"),
        lines_of([(2.0, progressed(2))]).strip().replace("2.0", '"2"'),
        "[" * 100_000,
    ],
    ids=[
        "empty",
        "cut",
        "list",
        "no-event",
        "unknown",
        "lacking",
        "backwards",
        "infinite",
        "nan",
        "text",
        "deep",
    ],
)
def test_a_broken_event_is_refused(tmp_path: Path, line: str) -> None:
    """A line that is no event is refused in one line that names it."""
    events = lines_of([(1.0, progressed(1))]) + line + "\n"

    with pytest.raises(
        BadRunFolder, match=r"events\.jsonl line 2 is no event"
    ) as caught:
        load_run(write_run(tmp_path, RESULT, events))

    assert 1 == len(str(caught.value).splitlines())


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """The refusal names the command that writes such a folder."""
    with pytest.raises(BadRunFolder, match="isolation-spec verify"):
        load_run(tmp_path / "gone")


def test_a_result_survives_its_file(tmp_path: Path) -> None:
    """Coverage goes through JSON and comes back equal."""
    run = load_run(write_run(tmp_path, RESULT, None))

    assert a_result().coverage == run.result.coverage
    assert msgspec.json.decode(RESULT)["coverage"]["places"]["x"]["x:1"] == [1, 1]
