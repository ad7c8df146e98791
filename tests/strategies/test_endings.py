"""The end of a scenario is drawn and named, as often as it is worth its cost."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from isolation_spec.model.scenario import (
    CallTool,
    CleanupUser,
    Operation,
    Read,
    Remember,
    RunAgent,
    User,
)
from isolation_spec.strategies.endings import Ending, FinalRound, final_rounds
from isolation_spec.strategies.scenario_builder import ScenarioBuilder
from isolation_spec.strategies.scripts import COMMON


def ended(final_round: FinalRound, slow_user: int = 9) -> list[Operation]:
    """The operations of a final round of three users with a context each."""
    builder = ScenarioBuilder()
    builder.users = tuple(User(label=n, id=n) for n in ("alice", "bob", "carol"))
    builder.final_round, builder.slow_user = final_round, slow_user
    for user in range(3):
        builder.contexts.append([])
        builder._open_context(user, "t", None)
    builder._end()
    return builder.operations[3:]


def scripts(operations: list[Operation]) -> list[tuple[Any, ...]]:
    return [one.script for one in operations if isinstance(one, RunAgent)]


def test_endings_are_drawn_in_their_shares() -> None:
    """A quarter has no end, half a look, an eighth each an intrusion or a departure."""
    drawn: list[FinalRound] = []

    @seed(0)
    @settings(
        max_examples=800,
        phases=(Phase.generate,),
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(final_rounds())
    def draw(final_round: FinalRound) -> None:
        drawn.append(final_round)

    draw()
    shares = Counter(one.ending for one in drawn)

    assert shares[Ending.LOOK] == pytest.approx(len(drawn) / 2, rel=0.25)
    assert shares[Ending.NONE] == pytest.approx(len(drawn) / 4, rel=0.25)
    assert shares[Ending.INTRUSION] == pytest.approx(len(drawn) / 8, rel=0.4)
    assert shares[Ending.DEPARTURE] == pytest.approx(len(drawn) / 8, rel=0.4)


def test_nothing_ends_a_scenario_without_a_final_round() -> None:
    """The smallest scenario ends with its last drawn operation."""
    assert [] == ended(FinalRound())


def test_everybody_looks() -> None:
    """Each user runs an agent, then each reads."""
    operations = ended(FinalRound(ending=Ending.LOOK))

    assert [RunAgent] * 3 + [Read] * 3 == [type(one) for one in operations]


@pytest.mark.parametrize("stores", [True, False])
@pytest.mark.parametrize("tool", ["echo", "slow"])
def test_a_run_at_the_end_has_the_drawn_steps(stores: bool, tool: str) -> None:
    """It stores a value if that was drawn, and calls the drawn tool."""
    for script in scripts(
        ended(FinalRound(ending=Ending.LOOK, stores=stores, tool=tool))
    ):
        assert stores == isinstance(script[0], Remember)
        assert isinstance(script[-1], CallTool)
        assert tool == script[-1].tool


@pytest.mark.parametrize(("slow_user", "is_common"), [(9, True), (1, False)])
def test_all_ask_the_same_unless_a_model_is_slow(
    slow_user: int, is_common: bool
) -> None:
    """A slow model and a common question would hide each other."""
    final_round = FinalRound(ending=Ending.LOOK, same_question=True)
    questions = {s[-2].prompt for s in scripts(ended(final_round, slow_user))}

    assert is_common == ({COMMON} == questions)


def test_an_intruder_reads_at_the_end() -> None:
    """The last operation names the drawn victim, and is another user's."""
    *_, last = ended(FinalRound(ending=Ending.INTRUSION, intruder=0, victim=1))

    assert isinstance(last, Read)
    assert (2, 1) == (last.user, last.victim)


def test_all_depart_at_work() -> None:
    """Each user is cleaned up while a run of theirs sleeps in the background."""
    operations = ended(FinalRound(ending=Ending.DEPARTURE))[6:]

    assert [RunAgent, CleanupUser] * 3 == [type(one) for one in operations]
