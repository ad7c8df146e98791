"""The text of any page, and the data of its script."""

import json

import pytest

from isolation_spec.report.html import script_data, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("two\nlines", "two\nlines"),
        ("\x00\x1b[2J\x7f", r"\x00\x1b[2J\x7f"),
        ("a\u202eb\u2066c\u200fd", r"a\u202eb\u2066c\u200fd"),
        ("\u200b\ufeff\u2028", r"\u200b\ufeff\u2028"),
        ("\ud800", r"\ud800"),
        ("\u05d0\u05d1", "\u05d0\u05d1"),
        ("e\u0301", "e\u0301"),
        ("e" + "\u0301" * 4, "e\u0301\u0301\\u0301\\u0301"),
    ],
)
def test_what_cannot_be_seen_is_escaped(text: str, shown: str) -> None:
    """Controls, marks of direction and heaps of accents are escaped."""
    assert shown == visible(text)


def test_data_cannot_end_its_script() -> None:
    """No markup stands in the data, and JSON gives back the input."""
    data = {"</script>": ["<!--", "&amp;", "\u2028\u2029", '"\\']}

    text = script_data(data)

    assert not set("<>&\u2028\u2029") & set(text)
    assert data == json.loads(text)
