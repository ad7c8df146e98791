"""JSON lines: the event stream itself, in a file."""

import json
from itertools import count
from pathlib import Path

import pytest

from isolation_spec.report.jsonlines import JSONLines
from tests.report.events import GREEN, SEARCHES, saved


@pytest.mark.parametrize("search", SEARCHES)
def test_each_event_is_an_object_on_a_line(tmp_path: Path, search: str) -> None:
    """Every line is JSON with the name of the event and the seconds since the start."""
    events = SEARCHES[search]
    listener = JSONLines(tmp_path / "events.jsonl", clock=count(10, 2).__next__)
    for event in events:
        listener(event)
    lines = listener.path.read_text("ascii").splitlines()
    found = [json.loads(line) for line in lines]

    assert [type(event).__name__ for event in events] == [o["event"] for o in found]
    assert [2 * (n + 1) for n in range(len(events))] == [o["seconds"] for o in found]


def test_a_line_is_there_before_the_next_thing_happens(tmp_path: Path) -> None:
    """A search that is killed leaves every event until then."""
    listener = JSONLines(tmp_path / "events.jsonl")
    for number, event in enumerate(GREEN, start=1):
        listener(event)

        assert number == len(listener.path.read_bytes().splitlines())


def test_fields_are_those_of_the_event(tmp_path: Path) -> None:
    """The result that ends a search is whole."""
    listener = JSONLines(tmp_path / "events.jsonl")
    listener(GREEN[-1])
    found = json.loads(listener.path.read_bytes())

    assert ("holds", 40, 7) == tuple(
        found["result"][name] for name in ("verdict", "interleavings", "seed")
    )


def test_a_violation_has_the_fields_of_its_fact(tmp_path: Path) -> None:
    """A machine reads users, kinds and names from fields, not from sentences."""
    listener = JSONLines(tmp_path / "events.jsonl")
    listener(saved())
    found = json.loads(listener.path.read_bytes())
    fact = found["violation"]["fact"]

    assert "resource_left_alive" == fact["fact"]
    assert ("task", 0, False) == (fact["kind"], fact["user"], fact["shut_down"])
    assert ["givens", "observation"] == [
        name for name, lines in found["explanation"].items() if lines
    ]


def test_an_old_file_is_replaced(tmp_path: Path) -> None:
    """Events of an earlier search are not taken for those of this one."""
    path = tmp_path / "events.jsonl"
    path.write_text("old\n")
    JSONLines(path)

    assert b"" == path.read_bytes()
