"""The words of chains and of demotions."""

import pytest

from isolation_spec.diagnosis.wording import (
    describe_chain,
    describe_demotion,
)
from isolation_spec.model.scenario import (
    CleanupUser,
    Demotion,
    OpenContext,
    Scenario,
    Shutdown,
    User,
)

USERS = (User(label="alice", id="alice"), User(label="bob", id="user_1"))
SCENARIO = Scenario(
    users=USERS,
    operations=(
        OpenContext(id=2, user=0, context="x2", thread="t"),
        CleanupUser(id=13, user=1),
        Shutdown(id=14),
    ),
)


@pytest.mark.parametrize(
    ("chain", "words"),
    [
        ("2/start", "the start of alice's operation 2"),
        ("13/database", "the database's answers to bob's operation 13"),
        ("13/call", "the answers of model and tools to bob's operation 13"),
        ("2/connect", "the connecting of alice's operation 2"),
        ("2/accept", "the accepting of the connection of alice's operation 2"),
        ("2/to-server", "the data from the client of alice's operation 2"),
        ("2/to-client", "the data to the client of alice's operation 2"),
        (
            "2/to-client/1",
            "the data to the client of alice's operation 2 (stream 2)",
        ),
        ("14/start", "the start of the world's operation 14"),
        ("world/database", "the database's answers to the world"),
        ("99/start", "the start of operation 99"),
        ("2/unheard-of", "unheard-of of alice's operation 2"),
        ("2", "the arrivals of alice's operation 2"),
    ],
)
def test_a_chain_has_its_words(chain: str, words: str) -> None:
    """The arrivals of a chain are named by the operation that they belong to."""
    assert words == describe_chain(SCENARIO, chain)


ANSWERS = "the answers of model and tools to alice's operation 2"


@pytest.mark.parametrize(
    ("chain", "consumed", "words"),
    [
        ("2/start", 2, "holding back the start of alice's operation 2"),
        ("2/call", 0, f"holding back {ANSWERS}"),
        (
            "2/call",
            1,
            f"holding back {ANSWERS} after the first",
        ),
        (
            "2/call",
            3,
            f"holding back {ANSWERS} after the first 3",
        ),
    ],
)
def test_a_demotion_has_its_words(chain: str, consumed: int, words: str) -> None:
    """A demotion says from when on something is held back."""
    demotion = Demotion(chain=chain, consumed=consumed, rank=0)

    assert words == describe_demotion(SCENARIO, demotion)
