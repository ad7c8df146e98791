"""The ends of an in-memory connection behave as those of a real one."""

import asyncio
from typing import Any

import pytest

from isolation_spec.model.scenario import Schedule
from isolation_spec.world import World
from isolation_spec.world.loop import CURRENT_OPERATION
from isolation_spec.world.schedulers.base import Scheduler
from tests.world.ends import HOST, Pair, Watched

# End of stream


async def written_then_closed(world: World) -> list[str]:
    """The log of a reader task and its protocol when peers write and close at once."""
    log: list[str] = []

    class Noted(asyncio.StreamReaderProtocol):
        def eof_received(self) -> bool | None:
            log.append("end arrives")
            return super().eof_received()

    async def reads(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            log.append(f"task reads {data.decode()}")
        log.append("task reads the end")
        writer.close()

    loop = asyncio.get_running_loop()

    def factory() -> Noted:
        return Noted(asyncio.StreamReader(loop=loop), reads, loop=loop)

    server = await loop.create_server(factory, HOST, 0)
    port = server.sockets[0].getsockname()[1]
    for number in (1, 2):
        CURRENT_OPERATION.set(number)
        transport, _ = await loop.create_connection(asyncio.Protocol, HOST, port)
        for piece in (b"a", b"b"):
            transport.write(piece)
        transport.close()
        await asyncio.sleep(1)
        log.append("---")
    server.close()
    await server.wait_closed()
    return log


def test_end_waits_for_the_reader(play: Any, schedulers: Any) -> None:
    """A reader task has read all data before the end arrives, in 300 schedules."""
    joined = ["task reads ab", "end arrives", "task reads the end", "---"]
    split = ["task reads a", "task reads b", *joined[1:]]
    wrong = []
    for seed, scheduler in enumerate(schedulers(300)):
        expected = split if scheduler.schedule.split else joined
        log = play(written_then_closed, scheduler)
        if log != expected * 2:
            wrong.append((seed, log))

    assert [] == wrong


def test_end_never_in_the_turn_of_data(play: Any, schedulers: Any) -> None:
    """Data and end of one direction never arrive in one turn, at any burst."""

    async def main(world: World) -> list[tuple[str, int]]:
        seen: list[tuple[str, int]] = []

        class Turns(Watched):
            def data_received(self, data: bytes) -> None:
                seen.append(("data", world.loop.turn))

            def eof_received(self) -> bool:
                seen.append(("end", world.loop.turn))
                return False

        server = await world.loop.create_server(lambda: Turns([], "server"), HOST, 0)
        port = server.sockets[0].getsockname()[1]
        for number in (1, 2):
            CURRENT_OPERATION.set(number)
            transport, _ = await world.loop.create_connection(
                asyncio.Protocol, HOST, port
            )
            transport.write(b"a")
            transport.write(b"b")
            transport.close()
            await asyncio.sleep(1)
        server.close()
        return seen

    wrong = []
    for scheduler in schedulers(300):
        seen = play(main, scheduler)
        turns = [turn for _, turn in seen]
        if len(set(turns)) != len(turns) or [seen[-1][0]] != ["end"]:
            wrong.append(seen)

    assert [] == wrong


# The same program, here and on real loopback sockets


def test_close_is_seen_as_end(anywhere: Any) -> None:
    """A clean close is, for the peer, data, then the end, then a loss without error."""

    async def program(rest: Any) -> list[str]:
        pair = await Pair().open(rest)
        pair.near.transport.write(b"hello")
        pair.near.transport.close()
        return await pair.end(rest)

    expected = ["client lost NoneType", "server got hello", "server end"]

    assert [*expected, "server lost NoneType"] == anywhere(program)


def test_close_with_unread_data_resets(anywhere: Any) -> None:
    """An end that is closed with data unread resets the connection."""

    async def program(rest: Any) -> list[str]:
        pair = await Pair().open(rest)
        pair.far.transport.pause_reading()
        pair.near.transport.write(b"unread")
        await rest()
        pair.far.transport.close()
        return await pair.end(rest)

    expected = ["server lost NoneType", "client lost ConnectionResetError"]

    assert expected == anywhere(program)


def test_writing_to_a_closed_peer_resets(anywhere: Any) -> None:
    """Writing to a closed peer, before its end arrives, results in a reset."""

    async def program(rest: Any) -> list[str]:
        pair = await Pair().open(rest, client=True)
        pair.near.transport.pause_reading()
        pair.far.transport.abort()
        await rest()
        pair.near.transport.write(b"first")
        await rest()
        pair.near.transport.write(b"second")
        return await pair.end(rest)

    log = anywhere(program)

    assert "server lost NoneType" == log[0]
    assert log[1:] in (
        ["client lost ConnectionResetError"],
        ["client lost BrokenPipeError"],
    )


def test_writing_after_the_end_of_a_closed_peer(anywhere: Any) -> None:
    """A client left open after the end learns by writing that its peer is gone."""

    async def program(rest: Any) -> list[str]:
        pair = await Pair().open(rest, client=True)
        pair.far.transport.close()
        await rest()
        pair.near.transport.write(b"first")
        await rest()
        pair.near.transport.write(b"second")
        return await pair.end(rest)

    log = anywhere(program)

    assert ["server lost NoneType", "client end"] == log[:2]
    assert log[2:] in (
        ["client lost ConnectionResetError"],
        ["client lost BrokenPipeError"],
    )


def test_reset_reaches_a_buffered_writer(anywhere: Any) -> None:
    """A writer with a full buffer hears of a reset even while its reading is paused."""

    async def program(rest: Any) -> list[str]:
        pair = await Pair().open(rest)
        pair.far.transport.pause_reading()
        pair.near.transport.pause_reading()
        while "client paused" not in pair.log:
            pair.near.transport.write(b"x" * (1 << 20))
        pair.far.transport.abort()
        return await pair.end(rest)

    log = anywhere(program)

    assert ["client paused", "server lost NoneType"] == log[:2]
    assert log[2:] in (
        ["client lost ConnectionResetError"],
        ["client lost BrokenPipeError"],
    )


def test_abort_delivers_bytes_in_flight(anywhere: Any) -> None:
    """Bytes that the socket took before an abort still arrive."""

    async def program(rest: Any) -> list[str]:
        pair = await Pair().open(rest)
        pair.near.transport.write(b"in flight")
        pair.near.transport.abort()
        return await pair.end(rest)

    expected = ["client lost NoneType", "server got in flight", "server end"]

    assert [*expected, "server lost NoneType"] == anywhere(program)


def test_half_closed_connection_still_answers(anywhere: Any) -> None:
    """After `write_eof`, the other direction works, and writing here is refused."""

    async def program(rest: Any) -> list[str]:
        pair = await Pair().open(rest, server=True)
        pair.near.transport.write(b"question")
        pair.near.transport.write_eof()
        with pytest.raises(RuntimeError, match="after write_eof"):
            pair.near.transport.write(b"more")
        await rest()
        pair.far.transport.write(b"answer")
        pair.far.transport.close()
        return await pair.end(rest)

    expected = ["server got question", "server end", "server lost NoneType"]
    tail = ["client got answer", "client end", "client lost NoneType"]

    assert [*expected, *tail] == anywhere(program)


def test_backpressure(anywhere: Any) -> None:
    """A peer that does not read pauses the writer; reading resumes it without loss."""

    async def program(rest: Any) -> tuple[list[str], bool, int]:
        pair = await Pair().open(rest)
        pair.far.transport.pause_reading()
        sent = 0
        while "client paused" not in pair.log and sent < 1 << 26:
            pair.near.transport.write(b"x" * 65_536)
            sent += 65_536
            if sent % (1 << 20) == 0:
                await asyncio.sleep(0)
        await rest()
        quiet = list(pair.log)
        buffered = pair.near.transport.get_write_buffer_size()
        pair.far.transport.resume_reading()
        while pair.far.received < sent:
            await rest()
        resumed = "client resumed" in pair.log
        left = sent - pair.far.received
        await pair.end(rest)
        return quiet, resumed and buffered > 65_536, left

    assert (["client paused"], True, 0) == anywhere(program)


def test_paused_reader_hears_nothing(anywhere: Any) -> None:
    """Neither data nor end reaches a paused reader; both do once it resumes."""

    async def program(rest: Any) -> list[str]:
        pair = await Pair().open(rest)
        pair.far.transport.pause_reading()
        pair.near.transport.write(b"late")
        pair.near.transport.close()
        await rest()
        pair.log.append("---")
        pair.far.transport.resume_reading()
        return await pair.end(rest)

    expected = ["client lost NoneType", "---", "server got late", "server end"]

    assert [*expected, "server lost NoneType"] == anywhere(program)


def test_split_and_joined(play: Any) -> None:
    """Pieces written in a row arrive one a turn if the schedule splits, else joined."""

    async def main(world: World) -> list[str]:
        pair = await Pair().open(lambda: asyncio.sleep(1))
        for piece in (b"1", b"2", b"3"):
            pair.near.transport.write(piece)
        await asyncio.sleep(1)
        return pair.log

    joined = play(main, Scheduler(Schedule()))
    split = play(main, Scheduler(Schedule(split=True, burst=2)))

    assert ["server got 123"] == joined
    assert ["server got 1", "server got 2", "server got 3"] == split


# Write buffers


def test_write_buffer(play: Any) -> None:
    """Buffered bytes are counted, and the limits have the defaults of asyncio."""

    async def main(world: World) -> list[Any]:
        pair = await Pair().open(lambda: asyncio.sleep(1))
        transport = pair.near.transport
        limits = [transport.get_write_buffer_limits()]
        transport.set_write_buffer_limits(high=100)
        limits.append(transport.get_write_buffer_limits())
        transport.set_write_buffer_limits(low=10)
        limits.append(transport.get_write_buffer_limits())
        pair.far.transport.pause_reading()
        transport.write(b"x" * 70_000)
        return [*limits, transport.get_write_buffer_size(), transport.can_write_eof()]

    expected = [(16_384, 65_536), (25, 100), (10, 40), 70_000 - 65_536, True]

    assert expected == play(main)
