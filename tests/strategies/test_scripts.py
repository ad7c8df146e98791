"""Scripts of agents are short, and draw every kind of step."""

import random
import typing

from isolation_spec.model.scenario import Return, Step
from isolation_spec.strategies.scripts import script

CHANCE = random.Random(0)
DRAWN = [script(CHANCE, 3) for _ in range(2000)]


def test_scripts_have_one_step_at_least_and_no_more_than_asked() -> None:
    """An agent that does nothing opens no window; each further step costs every run."""
    assert {1, 2, 3} == {len(steps) for steps in DRAWN}


def test_every_kind_of_step_is_drawn() -> None:
    """No kind of step is left to luck: each occurs in 2,000 scripts."""
    kinds = {type(step) for steps in DRAWN for step in steps}

    assert set(typing.get_args(Step)) == kinds


def test_scripts_rarely_end_before_their_last_step() -> None:
    """A step that ends the run stands before other steps in fewer than one of ten."""
    cut = [steps for steps in DRAWN if any(isinstance(s, Return) for s in steps[:-1])]

    assert 0 < len(cut) < len(DRAWN) / 10
