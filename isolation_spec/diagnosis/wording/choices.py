"""The text of choices of a schedule, and of the differences of a passing run.

Each is a noun phrase, to stand after "without".
"""

from __future__ import annotations

from isolation_spec.diagnosis.diagnosis import (
    ArrivalOrder,
    BurstChoice,
    CancellationChoice,
    ClassChoice,
    DemotionChoice,
    Difference,
    OtherUsers,
    SplitChoice,
)
from isolation_spec.diagnosis.wording.operations import (
    describe_cancellation,
    describe_owner,
)
from isolation_spec.execution.await_probe import BEFORE_FIRST_STEP
from isolation_spec.model.scenario import Chain, ChainKind, Demotion, Scenario

__all__ = ["describe_chain", "describe_demotion", "describe_difference"]


def describe_difference(scenario: Scenario, difference: Difference) -> str:
    """Returns a choice, or the part of a run that a passing run goes without."""
    match difference:
        case CancellationChoice():
            return _cancellation(scenario, difference)
        case ClassChoice():
            return f"holding back {describe_chain(scenario, difference.chain)}"
        case DemotionChoice():
            return describe_demotion(scenario, difference.demotion)
        case BurstChoice():
            one = difference.arrivals == 1
            more = "a further arrival" if one else "further arrivals"
            return f"letting {more} in before ready callbacks run"
        case SplitChoice():
            return "delivering adjacent data piece by piece"
        case ArrivalOrder():
            first = describe_chain(scenario, difference.first)
            second = describe_chain(scenario, difference.second)
            return f"{first} coming before {second}"
        case OtherUsers():
            return "the operations of the other users"


def _cancellation(scenario: Scenario, choice: CancellationChoice) -> str:
    unstarted = choice.place == BEFORE_FIRST_STEP
    where = "" if unstarted else f", at {choice.place}"
    owner = describe_owner(scenario, choice.operation)
    when = describe_cancellation(choice.cancellation)
    return f"the cancellation of {owner} {when}{where}"


_STREAMS = {
    "start": "the start of @",
    "database": "the database's answers to @",
    "call": "the answers of model and tools to @",
    "connect": "the connecting of @",
    "accept": "the accepting of the connection of @",
    "to-server": "the data from the client of @",
    "to-client": "the data to the client of @",
}


def describe_chain(scenario: Scenario, chain: str) -> str:
    """Returns the arrivals of a chain: `the database's answers to operation 7`."""
    owner, kind, ordinal = Chain.parse(chain)
    words = _STREAMS.get(kind, f"{kind or 'the arrivals'} of @")
    before, _, after = words.partition("@")
    which = f" (stream {ordinal + 1})" if ordinal else ""
    return f"{before}{describe_owner(scenario, owner)}{after}{which}"


def describe_demotion(scenario: Scenario, demotion: Demotion) -> str:
    """Returns a demotion: `holding back ... after the first 3`."""
    chain = describe_chain(scenario, demotion.chain)
    if not demotion.consumed or Chain.parse(demotion.chain).kind == ChainKind.START:
        return f"holding back {chain}"
    first = "first" if demotion.consumed == 1 else f"first {demotion.consumed}"
    return f"holding back {chain} after the {first}"
