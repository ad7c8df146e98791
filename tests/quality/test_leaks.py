"""A search finds what is left behind, whatever it is."""

import pytest

from tests.quality.leaks import LEAKS, found


@pytest.mark.parametrize("kind", sorted(LEAKS))
def test_a_leak_of_each_kind_is_found(kind: str) -> None:
    """Two searches of two tell of a resource of this very kind."""
    assert [True, True] == [found(kind, seed)[0] for seed in (0, 1)]


def test_the_kinds_are_those_of_the_ledger() -> None:
    """What the test of the ledger itself leaves behind is what is left here."""
    from tests.world.test_ledger import RESOURCES

    assert set(RESOURCES) == set(LEAKS)
