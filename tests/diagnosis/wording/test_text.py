"""Excerpts, canaries and control characters in the text of a story."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from isolation_spec.diagnosis.wording import (
    Phrase,
    excerpt,
    printable,
    strip_canary_digests,
)
from isolation_spec.model.scenario import (
    canary,
)


def test_a_canary_is_told_without_its_digest() -> None:
    """Owner and place of a genuine canary are enough; a text that only looks like one
    stays."""
    false = "alice~3.1~00000000"

    assert f"a alice~3.1 b {false}" == strip_canary_digests(
        f"a {canary('alice', 3, 1)} b {false}"
    )


def test_control_characters_are_escaped() -> None:
    """Characters that steer a terminal are shown instead."""
    assert r"a\x1b[2Jb\nc" == printable("a\x1b[2Jb\nc")


PHRASE = Phrase("returned: ", "one two three four five six seven eight nine ten")
TEXT = str(PHRASE)


@pytest.mark.parametrize(
    ("place", "room", "expected"),
    [
        (0, 80, TEXT),
        (0, 20, "returned: one two..."),
        (TEXT.index("nine"), 30, "returned: ...nine ten"),
        (TEXT.index("six"), 30, "returned: ...five six seven..."),
        (TEXT.index("six"), 14, "...six seve..."),
    ],
)
def test_an_excerpt_surrounds_a_place(place: int, room: int, expected: str) -> None:
    """A long text keeps its verb and the place, and shows where it is cut."""
    assert expected == excerpt(PHRASE, place, room)


def test_an_excerpt_keeps_its_prefix() -> None:
    """User and operation remain in sight, even where the verb does not."""
    place = len("bob 3 ") + TEXT.index("nine")

    assert "bob 3 ...nine ten" == excerpt(PHRASE, place, 20, prefix="bob 3 ")


@given(st.text(), st.text(), st.integers(0, 80), st.integers(1, 80), st.text())
def test_an_excerpt_fits(
    lead: str, detail: str, place: int, room: int, prefix: str
) -> None:
    """An excerpt of any text takes no more cells than there is room for."""
    cut = excerpt(Phrase(lead, detail), place, room, prefix=prefix[: room // 2])

    assert cell_len(cut) <= max(room, 3)
