"""JUnit XML: a build server reads the result of the search."""

from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest

from isolation_spec.claims import CLAIMS
from isolation_spec.report.junit import JUnit
from isolation_spec.search.events import Event
from tests.report.events import (
    BROKE,
    GREEN,
    INTERRUPTED,
    RED,
    SEARCHES,
    UNREACHED,
    saved,
)


def written(folder: Path, events: tuple[Event, ...]) -> ElementTree.Element:
    listener = JUnit(folder / "junit.xml")
    for event in events:
        listener(event)
    return ElementTree.parse(listener.path).getroot()


def outcomes(root: ElementTree.Element) -> dict[str, str]:
    """Returns the tag of the outcome of each test case, "" if it passed."""
    return {
        case.attrib["name"]: "".join(
            part.tag for part in case if part.tag in ("failure", "error", "skipped")
        )
        for case in root.iter("testcase")
    }


def test_a_green_search_is_a_passed_test_for_each_claim(tmp_path: Path) -> None:
    """One test case a claim, in order, with its evidence as a property."""
    root = written(tmp_path, GREEN)

    assert {claim.id: "" for claim in CLAIMS} == outcomes(root)
    assert ["3"] * len(CLAIMS) == [
        one.attrib["value"]
        for one in root.iterfind(".//testcase//property[@name='evidence']")
    ]
    (seed,) = root.iterfind("./testsuite/properties/property[@name='seed']")
    assert "7" == seed.attrib["value"]


def test_a_violated_claim_is_a_failure_with_its_story(tmp_path: Path) -> None:
    """The failure holds explanation and command; unreached claims are skipped."""
    root = written(tmp_path, RED)
    (failure,) = root.iter("failure")
    assert failure.text is not None

    expected = {claim.id: "" for claim in CLAIMS} | {
        "teardown": "failure",
        "exact-limits": "skipped",
        "tool-isolation": "error",
        "event-routing": "skipped",
    }
    assert expected == outcomes(root)
    assert "However, a task was still alive" in failure.attrib["message"]
    assert "Let alice be cleaned up." in failure.text
    assert "isolation-spec replay '.isolation-spec/failures/a b.json'" in failure.text


def test_a_failure_without_a_story_tells_its_sentence(tmp_path: Path) -> None:
    """Without an explanation, claim, clause and observation stand in its
    place."""
    bare = msgspec.structs.replace(saved("a.json"), explanation=None)
    (failure,) = written(tmp_path, (RED[0], bare, RED[-1])).iter("failure")
    first, *rest = (failure.text or "").splitlines()

    assert first.startswith("teardown (alive-task): a task was still alive")
    assert not any(line.startswith("Let ") for line in rest)
    assert "Replay with: isolation-spec replay a.json" in rest


def test_an_inconclusive_claim_is_an_error(tmp_path: Path) -> None:
    """A claim without evidence does not pass, and no further case is added."""
    found = outcomes(written(tmp_path, UNREACHED))

    assert {"exact-limits": "error"} == {n: how for n, how in found.items() if how}
    assert len(CLAIMS) == len(found)


@pytest.mark.parametrize("events", [INTERRUPTED, BROKE], ids=["interrupted", "broke"])
def test_no_file_is_green_when_the_search_is_not(
    tmp_path: Path, events: tuple[Event, ...]
) -> None:
    """A reason that belongs to no claim is an error of its own."""
    root = written(tmp_path, events)

    assert ["error"] == [how for how in outcomes(root).values() if how]
    assert "1" == root.attrib["errors"]


@pytest.mark.parametrize("search", SEARCHES)
def test_the_totals_are_those_of_the_cases(tmp_path: Path, search: str) -> None:
    """Any text of an engine gives valid XML with the right counts."""
    root = written(tmp_path, SEARCHES[search])
    found = list(outcomes(root).values())

    for node in (root, *root):
        assert str(len(found)) == node.attrib["tests"]
        assert str(found.count("failure")) == node.attrib["failures"]
        assert str(found.count("error")) == node.attrib["errors"]
        assert str(found.count("skipped")) == node.attrib["skipped"]


def test_what_xml_cannot_hold_is_spelled_out(tmp_path: Path) -> None:
    """Control characters and lone surrogates are readable, all else is as it was."""
    (error,) = written(tmp_path, BROKE).iter("error")

    for part in (r"evil \x00\x1b[31m\ufffe\ud800", "]]> </failure> &", "漢"):
        assert part in error.attrib["message"]
