"""Remarks: observations beside the verdict."""

import msgspec

from isolation_spec.claims.context_ownership import CONTEXT_OWNERSHIP
from isolation_spec.claims.remarks import (
    CallbackComputes,
    IdentityOfDeparted,
    ObjectHeldByTwo,
    remarks_on,
)
from isolation_spec.model.history.entries import IdentityKept, ObjectShared, PathStep
from tests.claims.histories import (
    ALICE,
    BOB,
    IDS,
    NOT_REACHED,
    history,
    judged,
    started,
)

BOTH = (started(3, ALICE), started(4, BOB))
SHARED = ObjectShared(
    time=0.0,
    turn=0,
    user=ALICE,
    other=BOB,
    path=(PathStep("Context"), PathStep(".cache")),
    others_path=(PathStep("Context"), PathStep(".all"), PathStep(key="id-of-bob")),
)


def test_an_object_that_two_contexts_hold_is_a_remark() -> None:
    """The remark names both ways to it, without the keys of this run."""
    remarks = tuple(remarks_on(history(*BOTH, SHARED)))

    assert (ObjectHeldByTwo("Context.cache", "Context.all[...]"),) == remarks


def test_the_identity_of_a_departed_user_is_a_remark() -> None:
    """A task that works for the server itself gets no remark."""
    kept = [
        IdentityKept(time=0.0, turn=0, user=ALICE, kind="task", what="w", identity=one)
        for one in (IDS[ALICE], "server")
    ]

    remarks = tuple(remarks_on(history(*BOTH, *kept)))

    assert (IdentityOfDeparted("task", "w"),) == remarks


def test_a_callback_that_computes_is_a_remark() -> None:
    """With its function; it depends on the machine, and so changes no digest."""
    quick = history(*BOTH)
    slow = msgspec.structs.replace(quick, computing=("engine.parse",))

    assert (CallbackComputes("engine.parse"),) == tuple(remarks_on(slow))
    assert quick.digest() == slow.digest()


def test_an_object_that_two_contexts_hold_violates_nothing() -> None:
    """A table that all contexts reach is shared by right, until a value flows."""
    assert NOT_REACHED == judged(CONTEXT_OWNERSHIP, *BOTH, SHARED)
