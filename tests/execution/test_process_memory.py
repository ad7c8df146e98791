"""Collections of garbage on a frozen heap."""

import gc

import pytest

from isolation_spec.execution.process_memory import frozen_heap


@pytest.fixture(autouse=True)
def _unfrozen_heap() -> None:
    """The suite runs on a frozen heap, which would hide that of the package."""
    gc.unfreeze()


class Boom(Exception):
    """An exception that ends the work on a frozen heap."""


def test_what_was_alive_before_is_not_looked_at() -> None:
    """Within, live objects are frozen, and garbage is still collected."""
    with frozen_heap():
        within = gc.get_freeze_count()
        ring: list[object] = []
        ring.append(ring)
        del ring
        collected = gc.collect()

    assert within > 1000
    assert collected >= 1


def test_nothing_stays_frozen_after_an_error() -> None:
    """Later garbage is as collectable as before."""
    with pytest.raises(Boom), frozen_heap():
        raise Boom

    assert 0 == gc.get_freeze_count()
