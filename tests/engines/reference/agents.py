"""Agents and a tool for the tests of runs."""

import asyncio
from typing import Any

from isolation_spec.engines.reference import (
    AgentServices,
    current_context,
)

RUNS = "SELECT success, error FROM runs WHERE run_id = ?"


async def whole(services: AgentServices, value: Any) -> Any:
    """Uses every service of an agent."""
    assert current_context.get() is services.context
    services.state["value"] = [value]
    services.emit({"progress": 1})
    await services.memory.remember("k", f"{value}")
    answer = await services.think("why")
    tool = await services.tools.execute_tool("echo", {"value": value})
    child = await services.spawn("small", value)
    assert current_context.get() is services.context
    return [answer, tool.result, child.metadata["run_id"], child.success]


async def small(services: AgentServices, value: Any) -> Any:
    await services.sleep(0)
    return await services.memory.recall("k")


async def echo(context: Any, arguments: Any) -> Any:
    await asyncio.sleep(0)
    return {**arguments, "user": context.user_id}


async def hang(services: AgentServices, value: Any) -> Any:
    services.state["began"] = True
    await asyncio.Event().wait()


def furnish(world: Any) -> None:
    """Registers all of them."""
    world.agent("whole", whole)
    world.agent("small", small)
    world.agent("hang", hang)
    world.tool("echo", echo)
