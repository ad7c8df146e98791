"""Profiles: the amount of work in a search. Counts live here and nowhere else.

`quick` takes 12 s on the machine of the README, `ci` a minute on two free cores, `deep`
a night. Four schedules for each of many workloads found rare orders sooner than more
schedules of fewer workloads; each workload costs 16 ms to draw and a run some 20 ms.
Steps, and the distances of sweeps, scopes and crowds, were chosen to fit that time, and
were not measured one by one.
"""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import HealthCheck, Phase, Verbosity, settings

__all__ = ["PROFILES", "Profile", "find_profile", "register_profiles"]


@dataclass(frozen=True, slots=True)
class Profile:
    """The amount of work in one search.

    Attributes:
        examples: generated workloads.
        steps: operations drawn for each, beside the scaffolding.
        schedules: schedules under which each is run.
        sweep_every: one of so many workloads is also run with a cancellation at each
            step of each operation; 0 for none. A prime, so that all workers sweep.
        exhaust_every: of one of so many workloads, a small scope is also run under
            every order of arrivals; 0 for no scopes.
        crowd_every: one of so many workloads has ten users more; 0 for no crowds.
        pct: depth of the schedules of pure PCT, a quarter as many as `schedules` and
            beside them; 0 for no such schedules.
        seconds: wall clock after which the search ends; 0 for no limit.
        floor: workloads below which a search that was cut has no verdict; None for half
            of all workloads.
        about: its purpose, its cost and its activity.
    """

    name: str
    examples: int
    steps: int
    schedules: int
    sweep_every: int = 0
    exhaust_every: int = 0
    crowd_every: int = 0
    pct: int = 0
    seconds: float = 0
    floor: int | None = None
    about: str = ""

    @property
    def verdict_floor(self) -> int:
        """The number of workloads that a green verdict needs."""
        return self.examples // 2 if self.floor is None else self.floor

    def spends(self) -> str:
        """The amount of work, in a sentence."""
        amount = f"{self.examples:,} workloads"
        if self.seconds:
            amount = f"{self.seconds / 60:g} minutes of workloads"
        swept = (
            f"; every {self.sweep_every}th is cancelled at each step of each operation"
        )
        return (
            f"{amount} of {self.steps} drawn operations, each under {self.schedules} "
            f"schedules{swept if self.sweep_every else ''}."
        )

    def settings(self, *, examples: int | None = None) -> settings:
        """The settings of Hypothesis, for all examples or for a share of them.

        Hypothesis does not shrink: it cannot see the schedules of a workload.
        `isolation_spec.diagnosis.shrink` shrinks both as one value.
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
    Profile(
        "quick",
        examples=128,
        steps=8,
        schedules=4,
        about="For every change, seconds: of the reference engine some 500 "
        "interleavings, with every claim put to the test, and cancellations at more "
        "than 20 of the 30 places at which its operations wait.",
    ),
    Profile(
        "ci",
        examples=720,
        steps=10,
        schedules=4,
        exhaust_every=200,
        crowd_every=50,
        about="For a pull request, about a minute on two free cores: of the reference "
        "engine some 3,000 interleavings. The same seed gives the same runs and the "
        "same failure with any number of processes, and prints the command that "
        "replays it.",
    ),
    Profile(
        "deep",
        examples=12_000,
        steps=14,
        schedules=8,
        sweep_every=97,
        exhaust_every=50,
        crowd_every=20,
        pct=3,
        about="For a night, hours: of the reference engine some 130,000 interleavings "
        "of longer workloads, with cancellations swept over every step of some, every "
        "order of small scopes, crowds of up to 16 users, and a share of pure PCT.",
    ),
    Profile(
        "fuzz",
        examples=1_000_000,
        steps=14,
        schedules=8,
        sweep_every=97,
        exhaust_every=50,
        crowd_every=20,
        seconds=600,
        # Half of `quick`. The budget of `fuzz` is time, so no share of its workloads
        # means anything; without a floor, 0.1 s of it were green on a fast machine.
        floor=64,
        about="For any amount of time, see --max-time: as deep, under a fresh seed "
        "each time, which is printed. It begins with the workloads that an earlier run "
        "kept in .isolation-spec/fuzz because they reached a new place, under new "
        "schedules, and keeps each scenario there before it is run.",
    ),
)


def find_profile(name: str) -> Profile:
    """The profile of that name.

    Raises:
        KeyError: there is no such profile; the text lists all profiles.
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
