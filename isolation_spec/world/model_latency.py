"""How long it takes until a model answers a prompt of a scenario."""

from __future__ import annotations

from isolation_spec.model.scenario import RunAgent, Scenario, Think, walk

__all__ = ["ModelLatency"]


class ModelLatency:
    """The answers of one scenario that take long; all others come when they come."""

    def __init__(self, scenario: Scenario) -> None:
        self._slow = tuple(
            (step.prompt, step.seconds)
            for operation in scenario.operations
            if isinstance(operation, RunAgent)
            for _, step in walk(operation.script)
            if isinstance(step, Think) and step.prompt and step.seconds
        )

    def seconds(self, asked: str) -> float:
        """The virtual seconds that it takes to answer whatever holds such a prompt."""
        return max((long for prompt, long in self._slow if prompt in asked), default=0)
