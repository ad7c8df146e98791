"""The sort key prefers few operations and decisions, and then readable scenarios."""

import msgspec

from isolation_spec.diagnosis.shrink.sort_key import size
from isolation_spec.model.scenario import Schedule
from tests.diagnosis.shrink.large_scenario import LARGE

replace = msgspec.structs.replace


def test_size_counts_operations_decisions_and_steps() -> None:
    """Decisions are choices other than zero; the steps of children count as well."""
    assert (23, 11, 20) == size(LARGE)


def test_the_schedule_of_plain_asyncio_has_no_decisions() -> None:
    """A scenario without choices and cancellations has no decisions."""
    plain = msgspec.structs.replace(LARGE, schedule=Schedule(), operations=())

    assert (0, 0, 0) == size(plain)
