"""Workloads are decided by seed and number, whoever draws them."""

from isolation_spec.strategies.profiles import find_profile
from isolation_spec.strategies.workloads import draw_workloads

QUICK = find_profile("quick")


def test_shares_have_the_same_workloads_as_the_whole() -> None:
    """Two processes draw together exactly the workloads that one draws alone."""
    whole = list(draw_workloads(QUICK, seed=3, examples=6))

    shares = [
        list(draw_workloads(QUICK, seed=3, examples=6, first=first, stride=2))
        for first in (0, 1)
    ]

    assert sorted(whole, key=lambda one: one.number) == sorted(
        shares[0] + shares[1], key=lambda one: one.number
    )
    assert {0, 2, 4} == {one.number for one in shares[0]}


def test_another_seed_draws_other_workloads() -> None:
    """No workload of one seed is one of another, but for the smallest of all."""
    one, other = (
        {w.scenario.to_json() for w in draw_workloads(QUICK, seed=seed, examples=5)}
        for seed in (1, 2)
    )

    assert set() == one & other
