"""The latency of the answers of a model."""

from __future__ import annotations

from isolation_spec.model.scenario import RunAgent, Scenario, Think, walk

__all__ = ["ModelLatency"]


class ModelLatency:
    """The slow answers of one scenario; the scheduler times all others."""

    def __init__(self, scenario: Scenario) -> None:
        self._slow = tuple(
            (step.prompt, step.seconds)
            for operation in scenario.operations
            if isinstance(operation, RunAgent)
            for _, step in walk(operation.script)
            if isinstance(step, Think) and step.prompt and step.seconds
        )

    def seconds(self, asked: str) -> float:
        """The virtual seconds before the answer to a text with one of these prompts."""
        slow = (seconds for prompt, seconds in self._slow if prompt in asked)
        return max(slow, default=0)
