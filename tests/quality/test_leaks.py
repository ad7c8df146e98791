"""A search finds a leak of each kind of resource."""

import pytest

from tests.quality.leaks import LEAKS, search_for

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("kind", sorted(LEAKS))
def test_a_leak_of_each_kind_is_found(kind: str) -> None:
    """Two of two searches report a resource of exactly this kind."""
    assert [True, True] == [search_for(kind, seed)[0] for seed in (0, 1)]


def test_the_kinds_are_those_of_the_ledger() -> None:
    """The leaks cover every kind of resource that the test of the ledger creates."""
    from tests.world.test_ledger import RESOURCES

    assert set(RESOURCES) == set(LEAKS)
