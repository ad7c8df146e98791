"""A canary names its owner in any text, and no other text passes for one."""

from hypothesis import given, settings
from hypothesis import strategies as st

from isolation_spec.model.scenario import canaries_in, canary


@given(
    st.from_regex(r"[a-z]{1,8}[0-9]{0,3}", fullmatch=True),
    st.integers(0, 10**6),
    st.integers(0, 10**4),
    st.sampled_from(("", " ", "x ", "~", "0", '{"a": "', "\n")),
)
@settings(max_examples=100, deadline=None, database=None)
def test_genuine_canaries_are_found(
    owner: str, operation: int, ordinal: int, after: str
) -> None:
    """A canary names its owner between any other text."""
    value = canary(owner, operation, ordinal)
    for before in ("", " ", "= ", '"', "7", "-"):
        found = list(canaries_in(before + value + after))
        # Letters before it would belong to the name, so they are no test.
        assert [(owner, value)] == found


def test_several_canaries_in_one_text() -> None:
    """All canaries of a text are found, in order, of different owners too."""
    values = [canary("alice", 1, 1), canary("bob", 2, 1), canary("alice", 3, 2)]
    owners = [owner for owner, _ in canaries_in(",".join(values))]
    glued = [value for _, value in canaries_in("|".join(values))]

    assert ["alice", "bob", "alice"] == owners
    assert values == glued


def test_forged_canaries_are_not_found() -> None:
    """A text that differs from a canary in one character is not genuine."""
    value = canary("alice", 12, 3)
    forged = [
        value.replace("alice", "bob"),
        value.replace("alice", "alice2"),
        value.replace("~12.", "~13."),
        value.replace("~12.", "~012."),
        value.replace(".3~", ".4~"),
        value[:-1],
        value[:-1] + ("0" if value[-1] != "0" else "1"),
        value.upper(),
        "alice~12.3~00000000",
    ]

    for text in forged:
        assert [] == list(canaries_in(text))
        assert [] == list(canaries_in(f"<{text}>"))


def test_canaries_differ() -> None:
    """Owner, operation and ordinal each make another canary."""
    made = {
        canary(owner, operation, ordinal)
        for owner in ("alice", "bob")
        for operation in range(50)
        for ordinal in range(5)
    }

    assert 500 == len(made)
    assert canary("alice", 1, 1) in made
