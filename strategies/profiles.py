"""How much a search spends. Counts live here and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import HealthCheck, Phase, Verbosity, settings

__all__ = ["PROFILES", "Profile", "find_profile", "register_profiles"]


@dataclass(frozen=True, slots=True)
class Profile:
    """What one search spends.

    Attributes:
        examples: generated workloads.
        steps: operations drawn for each, beside the scaffolding.
        schedules: schedules under which each is run.
        sweep_every: of so many workloads one is run with a cancellation at each step of
            each operation, too; 0 for none.
        exhaust_every: of so many workloads a small part of one is run under every order
            of arrivals, too; 0 for none.
        pct: depth of the schedules of pure PCT, a quarter as many as `schedules` and
            beside them; 0 for none.
    """

    name: str
    examples: int
    steps: int
    schedules: int
    sweep_every: int = 0
    exhaust_every: int = 0
    pct: int = 0

    def settings(self, *, examples: int | None = None) -> settings:
        """The settings of Hypothesis, for the whole or for a share of the examples.

        Shrinking is not Hypothesis's here: it cannot see the schedules that are tried
        for one workload, and `isolation_spec.shrink` works on both as one value.
        """
        return settings(
            max_examples=examples or self.examples,
            stateful_step_count=self.steps,
            deadline=None,
            database=None,
            phases=(Phase.explicit, Phase.generate),
            print_blob=False,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
            verbosity=Verbosity.normal,
        )


PROFILES = (
    Profile("quick", examples=170, steps=8, schedules=3),
    Profile("ci", examples=1200, steps=10, schedules=4, exhaust_every=200),
    Profile(
        "deep",
        examples=12_000,
        steps=14,
        schedules=8,
        sweep_every=100,
        exhaust_every=50,
        pct=3,
    ),
)


def find_profile(name: str) -> Profile:
    """The profile of that name.

    Raises:
        KeyError: there is none; the text lists those that there are.
    """
    for profile in PROFILES:
        if profile.name == name:
            return profile
    known = ", ".join(profile.name for profile in PROFILES)
    message = f"no profile is called {name!r}: write one of {known}"
    raise KeyError(message)


def register_profiles() -> None:
    """Makes them known to Hypothesis as `isolation-NAME`; loads none of them."""
    for profile in PROFILES:
        settings.register_profile(f"isolation-{profile.name}", profile.settings())
