"""Stacks name the method of the adapter that is at fault."""

import asyncio
import faulthandler
import tempfile

from isolation_spec.execution.attribution import (
    Blame,
    Frame,
    attribute,
    frames_dumped,
    frames_of,
    frames_waiting,
)


def deepest() -> None:
    raise ValueError


def test_frames_of_a_traceback_stand_outermost_first() -> None:
    """The last frame is the one that raised."""
    try:
        deepest()
    except ValueError as error:
        frames = frames_of(error.__traceback__)

    assert ["test_frames_of_a_traceback_stand_outermost_first", "deepest"] == [
        frame.function for frame in frames
    ]


def test_frames_of_a_waiting_task_end_where_it_waits() -> None:
    """The frames of a suspended task lead down to the coroutine that awaits."""

    async def inner(waiting: asyncio.Future[None]) -> None:
        await waiting

    async def outer(waiting: asyncio.Future[None]) -> None:
        await inner(waiting)

    async def main() -> list[str]:
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(outer(waiting))
        await asyncio.sleep(0)
        frames = frames_waiting(task)
        waiting.set_result(None)
        await task
        return [frame.function for frame in frames]

    assert ["outer", "inner"] == asyncio.run(main())


def test_a_dump_is_read_back() -> None:
    """The frames that `faulthandler` writes of this thread are found, this one last."""
    with tempfile.TemporaryFile("w+") as file:
        faulthandler.dump_traceback(file, all_threads=False)
        file.seek(0)
        frames = frames_dumped(file.read())

    assert "test_a_dump_is_read_back" == frames[-1].function


def test_a_stack_without_an_adapter_blames_its_place_alone() -> None:
    """Without a method of the contract on the stack the place alone is named."""
    frame = Frame("/somewhere/mine.py", 3, "work")

    assert Blame("", "mine.py:3 in work") == attribute([frame], "Mine")
    assert "the engine (mine.py:3 in work)" == str(attribute([frame], "Mine"))
    assert "the engine" == str(attribute([], "Mine"))
