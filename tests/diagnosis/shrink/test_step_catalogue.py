"""The catalogue has a step of every kind that a script can hold."""

from typing import get_args

from isolation_spec.diagnosis.shrink.step_catalogue import EVERY_STEP
from isolation_spec.model.scenario import CallTool, Sleep, Step, tools


def test_every_kind_of_step_is_there_except_sleeps() -> None:
    """A new kind of step must join the catalogue; a sleep alone cannot fail a claim."""
    kinds = set(get_args(Step)) - {Sleep}

    assert kinds == {type(step) for step in EVERY_STEP}


def test_every_tool_is_there() -> None:
    """The catalogue calls each tool of the scenarios."""
    called = {step.tool for step in EVERY_STEP if isinstance(step, CallTool)}

    assert set(tools) == called


def test_no_step_is_there_twice() -> None:
    """A repeated step would cost the synthesis runs without new candidates."""
    assert len(set(EVERY_STEP)) == len(EVERY_STEP)
