"""The text of facts about resources, and of recorded text."""

from __future__ import annotations

from isolation_spec.claims.facts import (
    CleanupCancelled,
    CleanupFailed,
    CleanupTooLong,
    ExceptionNotHandled,
    GaugeNotZero,
    OperationUnfinished,
    RecordedText,
    ResourceLeftAlive,
    ServedAfterCleanup,
    SessionNeverClosed,
    SessionOfTwoUsers,
    TransactionKept,
)
from isolation_spec.diagnosis.wording.contradiction import (
    Contradiction,
    Names,
    describe_fact,
    plain,
)

__all__: list[str] = []


# Database sessions


@describe_fact.register
def _session_never_closed(fact: SessionNeverClosed, names: Names) -> Contradiction:
    user = names.label(fact.user)
    return Contradiction(
        let=(f"database session {fact.session} be begun for {user}",),
        then="it is closed before the engine is shut down",
        however="it was never closed",
    )


@describe_fact.register
def _session_of_two_users(fact: SessionOfTwoUsers, names: Names) -> Contradiction:
    owner = names.label(fact.owner)
    return Contradiction(
        let=(f"database session {fact.session} be begun for {owner}",),
        then=f"only {owner}'s operations use it",
        however=f"an operation of {names.label(fact.user)} used it",
    )


@describe_fact.register
def _transaction_kept(fact: TransactionKept, names: Names) -> Contradiction:
    user, values = names.label(fact.user), ", ".join(fact.values)
    ended = "was cancelled half-way" if fact.cancelled else "raised"
    return Contradiction(
        let=(
            f"a transaction in {user}'s operation {fact.operation} write {values}",
            f"that transaction {ended}",
        ),
        then="nothing of it is stored",
        however=f"an independent observer read {fact.values[0]} in the end",
    )


# Teardown


def _outlived(
    fact: ResourceLeftAlive | GaugeNotZero, names: Names, however: str
) -> Contradiction:
    if fact.shut_down:
        let, then = "the engine be shut down", "nothing of it is alive"
    else:
        user = names.label(fact.user)
        let, then = f"{user} be cleaned up", f"nothing of {user} is alive"
    return Contradiction(let=(let,), then=then, however=however)


@describe_fact.register
def _resource_left_alive(fact: ResourceLeftAlive, names: Names) -> Contradiction:
    article = "an" if fact.kind[:1] in tuple("aeio") else "a"
    alive = f"{article} {fact.kind} was still alive ({plain(fact.name)})"
    return _outlived(fact, names, alive)


@describe_fact.register
def _gauge_not_zero(fact: GaugeNotZero, names: Names) -> Contradiction:
    value = "no finite number" if fact.value is None else f"{fact.value:g}"
    return _outlived(fact, names, f"the engine's own {fact.gauge} read {value}")


@describe_fact.register
def _exception_not_handled(fact: ExceptionNotHandled, names: Names) -> Contradiction:
    return Contradiction(
        let=("every operation, cleanup and shutdown come to its end",),
        then="no exception reaches the event loop's exception handler",
        however=fact.message.text,
    )


@describe_fact.register
def _operation_unfinished(fact: OperationUnfinished, names: Names) -> Contradiction:
    waits = f": {fact.waits}" if fact.waits else ""
    return Contradiction(
        let=(f"operation {fact.operation} be started",),
        then="it ends within a bounded time",
        however=f"it was still under way when the time of the run was up{waits}",
    )


def _cleanup(
    fact: CleanupFailed | CleanupCancelled | CleanupTooLong, however: str
) -> Contradiction:
    return Contradiction(
        let=(f"operation {fact.operation} clean up, with nothing stalled",),
        then=f"it succeeds within {fact.allowed:g} s, however often it is called",
        however=however,
    )


@describe_fact.register
def _cleanup_failed(fact: CleanupFailed, names: Names) -> Contradiction:
    return _cleanup(fact, f"it failed: {fact.error.text}")


@describe_fact.register
def _cleanup_cancelled(fact: CleanupCancelled, names: Names) -> Contradiction:
    return _cleanup(fact, "it was cancelled, although the scenario cancels nothing")


@describe_fact.register
def _cleanup_too_long(fact: CleanupTooLong, names: Names) -> Contradiction:
    return _cleanup(fact, f"it took {fact.took:g} s")


@describe_fact.register
def _served_after_cleanup(fact: ServedAfterCleanup, names: Names) -> Contradiction:
    return Contradiction(
        let=(f"context {fact.context} be cleaned up with its user",),
        then="it does no more work",
        however=f"operation {fact.operation} was carried out in it",
    )


@describe_fact.register
def _recorded_text(fact: RecordedText, names: Names) -> Contradiction:
    return Contradiction(let=fact.let, then=fact.then, however=fact.however)
