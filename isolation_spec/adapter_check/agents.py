"""Checks that the engine runs an agent, gives it services and returns its result."""

from __future__ import annotations

from isolation_spec.adapter_check.result import ALICE
from isolation_spec.adapter_check.session import VALUE, CheckFailed, Session
from isolation_spec.contract.capabilities import Capability
from isolation_spec.model.history.rendering import render
from isolation_spec.model.scenario import Return, Sleep, Step, Think

__all__ = ["check_agents"]


async def check_agents(session: Session) -> None:
    """Checks `run_agent` and the services that every engine has."""
    await session.require("run_agent", _run(session))
    await session.require("agent: identity", _run(session))
    await session.require("agent: think", _run(session, Think(prompt=VALUE)))
    await session.require("agent: sleep", _run(session, Sleep(seconds=0.01)))
    await session.require("agent: the result", _run(session, Return(value=VALUE)))
    if session.has(Capability.IDENTITY) and session.identities != {ALICE.id}:
        session.report(
            "hint",
            f"said {sorted(map(str, session.identities))} in runs of {ALICE.id!r}: "
            "return the id of the run's user",
            "agent: identity",
        )


async def _run(session: Session, *script: Step) -> None:
    agent = session.make_agent(script)
    answer = await session.checked.run_agent(ALICE.id, session.context, agent)
    session.services = agent.services
    session.checked.check_performed(agent)
    returned = next((step.value for step in script if isinstance(step, Return)), None)
    if returned is not None and returned not in render(answer):
        message = (
            f"gave {render(answer)[:40]!r} for an agent that returned {returned!r}: "
            "return the engine's result of the run, and have the engine's agent return "
            "the result of agent.perform"
        )
        raise CheckFailed(message)
