"""The execution of admitted runs: start, agent, stored outcome, terminal event."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from .agents import Agent, AgentExecutionResult, RunRecord
from .context import current_context
from .errors import describe
from .events import EventType
from .limits import Limits
from .runs import Run, RunOutcome
from .sessions import DatabaseSessionManager
from .storage import store_run
from .waiting import cancel_others, wait_until_done

__all__ = ["RunExecution"]


class RunExecution:
    """Executes the runs of one engine; the engine admits them and creates their agents.

    Every run that starts emits exactly one terminal event, after its outcome is stored.
    """

    database_session_manager: DatabaseSessionManager

    def __init__(self, *, clock: Callable[[], float], limits: Limits) -> None:
        self._clock = clock
        self._limits = limits
        self._runs: dict[str, Run] = {}
        self._run_ended = asyncio.Event()
        self._history: deque[RunRecord] = deque(maxlen=limits.run_history)

    @property
    def active_runs(self) -> tuple[str, ...]:
        """The ids of the runs in flight, waiting ones included, oldest first."""
        return tuple(self._runs)

    @property
    def run_history(self) -> tuple[RunRecord, ...]:
        """The last `limits.run_history` ended runs, oldest first."""
        return tuple(self._history)

    def _create_agent(self, run: Run) -> Agent:
        raise NotImplementedError

    async def _execute(self, run: Run) -> AgentExecutionResult:
        run.started = self._clock()
        token = current_context.set(run.context)
        try:
            run.emitter.emit(EventType.AGENT_STARTED, {"agent": run.agent})
            outcome = await self._outcome_of(run)
            outcome = await self._end(run, outcome)
            return run.result(outcome, duration=self._clock() - run.started)
        except asyncio.CancelledError:
            # In a task of its own: a second cancellation must not prevent the run's
            # end from being stored and reported.
            ending = asyncio.get_running_loop().create_task(
                self._end(run, run.cancelled(), replace=True)
            )
            await wait_until_done(ending)
            raise
        finally:
            run.emitter.finish(EventType.AGENT_ERROR, {"error": "the run broke off"})
            current_context.reset(token)

    async def _outcome_of(self, run: Run) -> RunOutcome:
        before = run.task.cancelling()
        limit = asyncio.timeout(self._limits.run_seconds)
        outcome = None
        try:
            async with limit:
                outcome = run.completed(await self._create_agent(run).run(run.request))
        except asyncio.CancelledError as error:
            if run.task.cancelling() > before:
                raise
            # Not a cancellation of this run: its agent awaited a cancelled task.
            outcome = run.failed(describe(error))
        except Exception as error:
            outcome = run.failed(describe(error))
        if run.task.cancelling() > before:
            # The agent suppressed the cancellation; the run is cancelled all the same.
            raise asyncio.CancelledError
        if limit.expired():
            seconds = self._limits.run_seconds
            return run.failed(f"the run took longer than run_seconds={seconds}")
        return outcome

    async def _end(
        self, run: Run, outcome: RunOutcome, *, replace: bool = False
    ) -> RunOutcome:
        """Store and report the outcome of the run, once; returns the reported
        outcome."""
        await self._stop_stragglers(run)
        if run.emitter.ended:
            return run.failed("the engine was cleaned up during the run")
        try:
            await self._store_run(run, outcome, replace=replace)
        except Exception as error:
            if outcome.success:
                outcome = run.failed(f"the run was not stored: {describe(error)}")
        self._report_end(run, outcome)
        return outcome

    def _report_end(self, run: Run, outcome: RunOutcome) -> None:
        if run.emitter.ended:
            return
        run.emitter.finish(outcome.event_type, outcome.payload)
        self._remember_run(
            RunRecord(
                run_id=run.run_id,
                request_id=run.context.request_id,
                agent=run.agent,
                success=outcome.success,
                error=outcome.error,
                duration=self._clock() - run.started,
            )
        )

    def _remember_run(self, record: RunRecord) -> None:
        self._history.append(record)

    async def _stop_stragglers(self, run: Run) -> None:
        """Stop the child runs and tool calls that the agent did not await."""
        run.ending = True
        children = [
            child
            for child in self._runs.values()
            if child.parent is run and not child.emitter.ended
        ]
        cancel_others([child.task for child in children if child.task is not run.task])
        try:
            async with asyncio.timeout(self._limits.cleanup_seconds):
                await run.tools.stop(keep=run.task)
                await self._wait_for_runs(children)
        except TimeoutError:
            # Their emitters refuse from now on, so that they can emit nothing more.
            for child in children:
                child.emitter.finish(EventType.AGENT_CANCELLED, {"error": "cancelled"})

    async def _wait_for_runs(self, runs: Sequence[Run]) -> None:
        while any(self._runs.get(run.run_id) is run for run in runs):
            self._run_ended.clear()
            await self._run_ended.wait()

    async def _store_run(self, run: Run, outcome: RunOutcome, *, replace: bool) -> None:
        row = {
            "request_id": run.context.request_id,
            "run_id": run.run_id,
            "user_id": run.context.user_id,
            "thread_id": run.context.thread_id,
            "agent": run.agent,
            "success": outcome.success,
            "error": outcome.error,
        }
        await self.database_session_manager.run(
            lambda session: store_run(session, row, replace=replace)
        )
