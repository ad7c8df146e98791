"""Pipelines of agents: in sequence, in parallel, or on a condition."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from .agents import AgentExecutionResult, AgentRequest
from .context import UserExecutionContext
from .frozen import freeze
from .waiting import wait_until_done

__all__ = [
    "ExecutionStrategy",
    "PipelineResult",
    "PipelineStep",
    "PipelineStepConfig",
    "execute_pipeline",
]

Results = Mapping[str, AgentExecutionResult]


class PipelineStep(StrEnum):
    """The phase that a step stands for."""

    INITIALIZATION = "initialization"
    VALIDATION = "validation"
    EXECUTION = "execution"
    PROCESSING = "processing"
    COMPLETION = "completion"
    ERROR = "error"
    CANCELLED = "cancelled"


class ExecutionStrategy(StrEnum):
    """How a step follows the step before it."""

    SEQUENTIAL = "sequential"
    PARALLEL = "parallel"
    CONDITIONAL = "conditional"


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineStepConfig:
    """One step: its agent, its input, and the condition under which it runs.

    A step runs if all its `dependencies` (names of earlier steps) succeeded.
    Adjacent parallel steps run concurrently unless one depends on the other. A
    conditional step runs if `condition`, given the results so far, is true.
    """

    name: str
    agent: str
    step: PipelineStep = PipelineStep.EXECUTION
    strategy: ExecutionStrategy = ExecutionStrategy.SEQUENTIAL
    dependencies: tuple[str, ...] = ()
    condition: Callable[[Results], bool] | None = None
    input: Any = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "metadata", freeze(self.metadata, place="metadata"))
        conditional = self.strategy is ExecutionStrategy.CONDITIONAL
        if conditional != (self.condition is not None):
            message = (
                f"step {self.name!r} has strategy {self.strategy.value} and condition "
                f"{self.condition!r}; a condition goes with CONDITIONAL, and only there"
            )
            raise ValueError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineResult:
    """The results of the steps, by name, and the names of skipped steps."""

    step: PipelineStep
    results: dict[str, AgentExecutionResult]
    skipped: tuple[str, ...]

    @property
    def success(self) -> bool:
        """Whether every step that ran succeeded."""
        return self.step is PipelineStep.COMPLETION


class PipelineEngine(Protocol):
    """The part of an engine that a pipeline uses."""

    user_context: UserExecutionContext

    async def execute_agent(
        self, name: str, request: AgentRequest, *, run_id: str | None = None
    ) -> AgentExecutionResult:
        """Run one agent."""


async def execute_pipeline(
    engine: PipelineEngine, steps: Sequence[PipelineStepConfig]
) -> PipelineResult:
    """Run the steps in order; a failed step skips those that depend on it.

    Raises `ValueError` before the first run for a name used twice or a dependency
    that is no earlier step. Cancellation cancels all steps in flight and goes on.
    """
    _check(steps)
    results: dict[str, AgentExecutionResult] = {}
    skipped: list[str] = []
    for group in _groups(steps):
        ready = [step for step in group if _is_ready(step, results)]
        skipped += [step.name for step in group if step not in ready]
        outcomes = await _run_concurrently([_run_step(engine, step) for step in ready])
        results.update(zip((step.name for step in ready), outcomes, strict=True))
    failed = any(not result.success for result in results.values())
    return PipelineResult(
        step=PipelineStep.ERROR if failed else PipelineStep.COMPLETION,
        results=results,
        skipped=tuple(skipped),
    )


def _check(steps: Sequence[PipelineStepConfig]) -> None:
    earlier: list[str] = []
    for step in steps:
        unknown = [name for name in step.dependencies if name not in earlier]
        if step.name in earlier or unknown:
            message = (
                f"step {step.name!r} is named twice or depends on {unknown}, which "
                "are no earlier steps; give each a name, dependencies first"
            )
            raise ValueError(message)
        earlier.append(step.name)


def _groups(steps: Sequence[PipelineStepConfig]) -> list[list[PipelineStepConfig]]:
    groups: list[list[PipelineStepConfig]] = []
    for step in steps:
        last = groups[-1] if groups else []
        together = all(
            other.strategy is ExecutionStrategy.PARALLEL for other in (step, *last)
        )
        apart = any(other.name in step.dependencies for other in last)
        if last and together and not apart:
            last.append(step)
        else:
            groups.append([step])
    return groups


def _is_ready(step: PipelineStepConfig, results: Results) -> bool:
    if not all(name in results and results[name].success for name in step.dependencies):
        return False
    return step.condition is None or step.condition(dict(results))


async def _run_step(
    engine: PipelineEngine, step: PipelineStepConfig
) -> AgentExecutionResult:
    context = engine.user_context
    request = AgentRequest(context.user_id, context.thread_id, None, step.input)
    return await engine.execute_agent(step.agent, request)


async def _run_concurrently(
    runs: list[Coroutine[Any, Any, AgentExecutionResult]],
) -> list[AgentExecutionResult]:
    if len(runs) == 1:
        return [await runs[0]]
    tasks = [asyncio.get_running_loop().create_task(run) for run in runs]
    # In order, and not with a task group: it cancels its members in the order of a
    # set, and one failing step must not cancel the others.
    await wait_until_done(*tasks, on_cancel=lambda: _cancel_all(tasks))
    return [task.result() for task in tasks]


def _cancel_all(tasks: list[asyncio.Task[AgentExecutionResult]]) -> None:
    for task in tasks:
        task.cancel()
