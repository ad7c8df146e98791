"""Every value of a script carries the canary of its owner."""

from isolation_spec.model.scenario import (
    CallTool,
    ReadState,
    Remember,
    Spawn,
    Think,
    Transact,
    canary,
)
from isolation_spec.strategies.payloads import sign


def test_each_value_gets_a_canary_of_its_own() -> None:
    """Canaries are numbered in the order of the script, those of children included."""
    signed = sign(
        (
            Think(prompt=""),
            Spawn(script=(Remember(key="k", value=""),)),
            Transact(items=(("k", ""), ("l", ""))),
        ),
        "alice",
        7,
    )

    first, second, third, fourth = (canary("alice", 7, n) for n in range(1, 5))
    assert (
        Think(prompt=first),
        Spawn(script=(Remember(key="k", value=second),)),
        Transact(items=(("k", third), ("l", fourth))),
    ) == signed


def test_values_that_all_users_share_stay() -> None:
    """A question that everybody asks alike must not become a user's own."""
    script = (Think(prompt="hello"), CallTool(tool="echo", argument="x"), ReadState())

    assert script == sign(script, "alice", 7)
