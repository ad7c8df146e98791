"""The name of a run, written and read."""

import pytest

from isolation_spec.model.run_name import named_run, run_name


def test_a_run_and_its_child_have_names() -> None:
    """The path of a child follows the operation."""
    assert "run-3" == run_name(3)
    assert "run-3.1.0" == run_name(3, (1, 0))


@pytest.mark.parametrize(
    ("text", "operation"),
    [
        (run_name(3), 3),
        (run_name(31, (2,)), 31),
        ('{"run_id": "run-7", "other": "run-8"}', 7),
        ("context-3", None),
        ("run-", None),
        ("run-" + "1" * 10, None),
    ],
)
def test_the_first_run_of_a_text_is_read(text: str, operation: int | None) -> None:
    """A text without a run, or with an id of ten digits, names no operation."""
    assert operation == named_run(text)
