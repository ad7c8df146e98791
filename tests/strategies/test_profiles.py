"""Profiles hold the amount of work, and leave the settings of other tests alone."""

import subprocess
import sys

import pytest
from hypothesis import HealthCheck, Phase, settings

from isolation_spec.strategies.profiles import (
    PROFILES,
    Profile,
    find_profile,
    register_profiles,
)

each_profile = pytest.mark.parametrize("profile", PROFILES, ids=lambda p: p.name)


@each_profile
def test_a_profile_is_found_by_its_name(profile: Profile) -> None:
    """The name finds the profile."""
    assert profile is find_profile(profile.name)


def test_an_unknown_profile_lists_those_that_there_are() -> None:
    """The error for an unknown name lists all profiles."""
    with pytest.raises(KeyError) as caught:
        find_profile("quik")

    assert "'quik'" in caught.value.args[0]
    assert all(profile.name in caught.value.args[0] for profile in PROFILES)


@each_profile
def test_a_verdict_needs_no_less_than_half_of_quick(profile: Profile) -> None:
    """No profile is green after fewer workloads, and each can reach its floor."""
    assert 64 <= profile.verdict_floor <= profile.examples // 2


@each_profile
def test_a_share_is_all_that_changes(profile: Profile) -> None:
    """A process's share of the examples is searched as the whole would be."""
    share, whole = profile.settings(examples=7), profile.settings()

    assert (7, profile.examples) == (share.max_examples, whole.max_examples)
    assert profile.steps == share.stateful_step_count == whole.stateful_step_count


@each_profile
def test_hypothesis_neither_shrinks_nor_remembers(profile: Profile) -> None:
    """Shrinking is ours, nothing is read from a database, and nothing times out."""
    found = profile.settings()

    assert found.database is None
    assert found.deadline is None
    assert not {Phase.shrink, Phase.explain, Phase.reuse} & set(found.phases)
    assert set(HealthCheck) == set(found.suppress_health_check)


def test_deeper_profiles_spend_more() -> None:
    """From quick to fuzz every count grows, and deep and fuzz sweep cancellations."""
    counts = [(p.examples, p.steps, p.schedules) for p in PROFILES]

    assert ["quick", "ci", "deep", "fuzz"] == [profile.name for profile in PROFILES]
    assert sorted(counts) == counts
    assert [False, False, True, True] == [p.sweep_every > 0 for p in PROFILES]


def test_fuzz_alone_ends_by_the_clock() -> None:
    """All other profiles do the same however fast the machine is."""
    assert ["fuzz"] == [profile.name for profile in PROFILES if profile.seconds]


@each_profile
def test_a_profile_says_what_it_spends(profile: Profile) -> None:
    """Its own counts are in the sentence."""
    said = profile.spends()

    assert f"{profile.steps} drawn operations" in said
    assert f"{profile.schedules} schedules" in said
    assert ("minutes" if profile.seconds else f"{profile.examples:,}") in said
    assert profile.about.endswith(".")


def test_importing_or_registering_loads_no_profile() -> None:
    """A user's other tests keep their own settings."""
    script = (
        "from hypothesis import settings\n"
        "before = settings.get_current_profile_name()\n"
        "import isolation_spec.strategies.machine\n"
        "from isolation_spec.strategies.profiles import register_profiles\n"
        "register_profiles()\n"
        "assert before == settings.get_current_profile_name()\n"
    )

    subprocess.run([sys.executable, "-c", script], check=True)


def test_registered_profiles_have_our_name_in_front() -> None:
    """A registered profile cannot replace a user's own."""
    register_profiles()

    for profile in PROFILES:
        found = settings.get_profile(f"isolation-{profile.name}")
        assert profile.examples == found.max_examples
