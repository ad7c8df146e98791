"""A scenario whose choices find no place is judged by variations of its choices."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from isolation_spec.contract.adapter import Adapter
from isolation_spec.engines.reference.adapter import ReferenceAdapter
from isolation_spec.engines.registry import own_engine
from isolation_spec.failure.outcome import Outcome
from isolation_spec.failure.trial import Trial, try_scenario
from isolation_spec.model.scenario import (
    Cancellation,
    OpenContext,
    Scenario,
    Write,
    canary,
)
from tests.failure.failures import heartbeat_scenario

OPERATIONS = (
    OpenContext(id=1, user=0, context="x", thread="t"),
    Write(
        id=2,
        user=0,
        context="x",
        key="k",
        value=canary("alice", 2, 0),
        cancel=Cancellation(step=999),
    ),
)
LATE = Scenario(users=heartbeat_scenario().users, operations=OPERATIONS)
"""A write that is cancelled at a step that it never comes to."""


def tried(scenario: Scenario, make: Callable[[], Adapter], claim: str) -> Trial:
    return try_scenario(scenario, own_engine(make), claim)


def test_a_cancellation_that_never_comes_is_tried_at_other_steps() -> None:
    """The variations cancel the operation at steps that it has, and find nothing."""
    trial = tried(LATE, ReferenceAdapter, "teardown")

    assert Outcome.FIXED is trial.outcome
    assert "no place for the cancellation of 2" in trial.notes[0]
    assert "20 variations" in trial.notes[-1]


def test_a_variation_that_violates_keeps_the_drift() -> None:
    """An engine that still has the fault at another step is not said to be mended."""

    class Leaking(ReferenceAdapter):
        async def write(self, user: str, context: Any, key: str, value: str) -> None:
            try:
                await super().write(user, context, key, value)
            except asyncio.CancelledError:
                loop = asyncio.get_running_loop()
                self.left = loop.create_task(asyncio.Event().wait())
                raise

    trial = tried(LATE, Leaking, "teardown")

    assert Outcome.DRIFTED is trial.outcome
    assert "of its choices violates teardown" in trial.notes[-1]


def test_variations_without_evidence_are_drift() -> None:
    """Where no variation puts the claim to the test, nothing is said to hold."""
    alone = msgspec.structs.replace(LATE, operations=())

    assert Outcome.DRIFTED is tried(alone, ReferenceAdapter, "teardown").outcome
