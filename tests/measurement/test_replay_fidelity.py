"""Failures are replayed in fresh processes, and each digest is really compared."""

import itertools
from pathlib import Path

import msgspec
import pytest

from isolation_spec.diagnosis.shrink.sort_key import size
from isolation_spec.failure import Failure, Outcome, save
from isolation_spec.measurement.replay_fidelity import (
    Replayed,
    Replays,
    _compared,
    _in_processes,
    gather,
)


@pytest.fixture(scope="module")
def failures() -> list[Failure]:
    return list(itertools.islice(gather(), 4))


def test_failures_are_worth_replaying(failures: list[Failure]) -> None:
    """Two users at work, a decision or a disruption, and no two of them are equal."""
    for failure in failures:
        operations = failure.scenario.operations
        users = {operation.user for operation in operations}

        assert 2 <= len(users - {None})
        assert 1 <= size(failure.scenario)[1]
        assert failure.engine.startswith("reference+")
    assert 2 <= len({failure.engine for failure in failures})
    assert 4 == len({(one.engine, one.scenario.to_json()) for one in failures})


def test_fresh_processes_see_the_same(failures: list[Failure], tmp_path: Path) -> None:
    """Other hash seeds, the same digests, and each failure reproduced."""
    kept = {save(failure, tmp_path).name: failure for failure in failures}
    seeds = (1, 4000000000)
    shown = [one for part in _in_processes(tmp_path, seeds) for one in part]
    replays = _compared(kept, seeds, shown)

    assert 4 * 2 == replays.replays == replays.identical == replays.reproduced
    assert () == replays.unlike
    assert replays == msgspec.json.decode(replays.to_json(), type=Replays)


def test_one_other_digest_is_reported(failures: list[Failure]) -> None:
    """A file of which a single replay differs is named, and not counted as equal."""
    kept = {"a.json": failures[0], "b.json": failures[1]}
    shown = [
        Replayed(file=name, digest=kept[name].digest, outcome=Outcome.REPRODUCED)
        for name in ("a.json", "b.json", "a.json")
    ]
    other = Replayed(file="b.json", digest="other", outcome=Outcome.DRIFTED)
    replays = _compared(kept, (1, 2), [*shown, other])

    assert (3, 3, ("b.json",)) == (
        replays.identical,
        replays.reproduced,
        replays.unlike,
    )


def test_a_process_that_fails_is_an_error(tmp_path: Path) -> None:
    """A failure that cannot be replayed at all is never counted as equal."""
    (tmp_path / "bad.json").write_text("{}")

    with pytest.raises(RuntimeError, match="ended with 1"):
        list(_in_processes(tmp_path, (1,)))
