"""Files are written whole, and a listener that fails ends nothing."""

import errno
from pathlib import Path

import pytest

from isolation_spec.report.files import EventDispatcher, write_whole
from isolation_spec.search.events import Event
from tests.report.events import GREEN


class Full:
    """A listener whose disk is full."""

    path = Path("events.jsonl")

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, event: Event) -> None:
        self.calls += 1
        raise OSError(errno.ENOSPC, "No space left on device")


def test_who_cannot_write_is_told_nothing_more() -> None:
    """The others hear everything, and the problem is known."""
    heard: list[Event] = []
    full = Full()
    listeners = EventDispatcher([full, heard.append])
    for event in GREEN:
        listeners(event)

    assert list(GREEN) == heard
    assert 1 == full.calls
    problem = "events.jsonl cannot be written: No space left on device"
    assert [problem] == listeners.problems


def test_a_device_is_written_to_and_stays_a_device() -> None:
    """The null device is no file that could be replaced."""
    write_whole(Path("/dev/null"), b"x")

    assert not Path("/dev/null").is_file()


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    """Where a folder stands in the way, nothing half written is left beside it."""
    (tmp_path / "r.json" / "below").mkdir(parents=True)

    with pytest.raises(OSError, match=r"r\.json"):
        write_whole(tmp_path / "r.json", b"x")

    assert ["r.json"] == [path.name for path in tmp_path.iterdir()]
