"""Failure files that went wrong: by a bit, by a token, by a field, by far."""

import copy
import functools
import json
import random
import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from isolation_spec.model.scenario import (
    AdvanceTime,
    CallTool,
    Cancellation,
    CancelRun,
    CleanupEngine,
    CleanupUser,
    CollectGarbage,
    Connect,
    Demotion,
    Disconnect,
    Emit,
    Erase,
    Fail,
    Mutate,
    OpenContext,
    Read,
    ReadState,
    Recall,
    Reconnect,
    Remember,
    Return,
    RunAgent,
    Scenario,
    Schedule,
    Shutdown,
    Sleep,
    Spawn,
    Step,
    Think,
    Transact,
    User,
    Write,
    WriteState,
    canary,
    tools,
)
from tests.failure.failures import changed

TOKENS = (
    b"NaN",
    b"-Infinity",
    b"1e999",
    b"1e308",
    b"-1e-400",
    b"1000000000000",
    b"-1",
    b"0",
    b"9" * 29,
    b"9" * 5000,
    b"0.1",
    b"null",
    b"true",
    b"[]",
    b"{}",
    b"[[[]]]",
    b'""',
    b'"\\ud800"',
    b'"\\u0000\\u202e"',
    b'"reference"',
    b'"' + b"x" * 9000 + b'"',
    b"[" * 40 + b"]" * 40,
    b'{"a":1,"a":1}',
    b"[0," * 30 + b"0" + b"]" * 30,
    b"\xff",
    b"\\",
    b'"',
    b",",
    b":",
)
VALUES: tuple[Any, ...] = (
    *(-1, 0, 1, 2, 3, 63, 64, 10**12, 10**29, 0.5, 1e308, -0.0, True, None, ""),
    *("alice", "x1", "c1", "1/start", "\x1b[2J", "a" * 5000, "'; import os", '"""'),
    *([], {}, [0], [[]], {"a": 1}, ["x", "y"]),
)
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[-0-9.eE+]+|true|false|null')


def every_kind() -> Scenario:
    """A scenario with each operation, each step and each kind of choice."""
    script: tuple[Step, ...] = (
        Think(prompt="p"),
        *(CallTool(tool=tool, argument=f"a-{tool}") for tool in tools),
        WriteState(key="k", value=canary("alice", 3, 1)),
        ReadState(),
        Remember(key="k", value=canary("alice", 3, 2)),
        Recall(key="k"),
        Transact(items=(("k", "v"), ("l", "w")), fails=True),
        Emit(payload="e"),
        Spawn(script=(Sleep(seconds=0.5), Return(value="r"))),
        Fail(message="m"),
    )
    return Scenario(
        users=(User(label="alice", id="u1"), User(label="bob", id="u11")),
        operations=(
            Connect(id=1, user=0, connection="c1"),
            OpenContext(id=2, user=0, context="x1", thread="t"),
            RunAgent(id=3, user=0, context="x1", script=script, background=True),
            OpenContext(id=4, user=1, context="x1", thread="t"),
            Read(id=5, user=1, context="x1", victim=0),
            Write(id=6, user=1, context="x1", key="k", value="v"),
            Mutate(id=7, user=1, context="x1", value="v"),
            CancelRun(id=8, user=1, run=3, victim=0),
            AdvanceTime(id=9, seconds=1.0, stalled=True),
            Reconnect(id=10, user=0, connection="c2", replaces="c1"),
            Erase(
                id=11,
                user=1,
                context="x1",
                cancel=Cancellation(step=2, after_step=True),
            ),
            CleanupEngine(id=12, user=1, context="x1"),
            Disconnect(id=13, user=0, connection="c2", abrupt=True),
            CollectGarbage(id=14),
            CleanupUser(id=15, user=1),
            Shutdown(id=16),
        ),
        schedule=Schedule(
            classes={"3/start": 1},
            demotions=(Demotion(chain="6/start", consumed=0, rank=1),),
            burst=1,
            split=True,
        ),
    )


@functools.cache
def bases() -> tuple[bytes, ...]:
    """The files to mutate: a small one, one with each kind, and a large one."""
    many = tuple(Read(id=n, user=0, context="x") for n in range(1, 2001))
    alice = (User(label="alice", id="alice"),)
    return tuple(
        msgspec.json.encode(failure)
        for failure in (
            changed(),
            changed(scenario=every_kind()),
            changed(
                scenario=every_kind(),
                claim="noninterference",
                violation=msgspec.structs.replace(
                    changed().violation, claim="noninterference"
                ),
            ),
            changed(scenario=Scenario(users=alice, operations=many)),
        )
    )


def mutants(seed: int, count: int) -> Iterator[bytes]:
    """Yields so many files, each mutated once to three times."""
    chance = random.Random(seed)
    # The large file is as slow to mutate as it is to load, so it comes rarely.
    weights = (8, 16, 8, 1)
    for _ in range(count):
        (data,) = chance.choices(bases(), weights)
        for _ in range(chance.choice((1, 1, 1, 2, 3))):
            data = chance.choice(_MUTATIONS)(chance, data)
        yield data


def _flip(chance: random.Random, data: bytes) -> bytes:
    changed = bytearray(data or b" ")
    changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _cut(chance: random.Random, data: bytes) -> bytes:
    first = chance.randrange(len(data) + 1)
    return data[:first] + data[first + chance.choice((1, 2, 10, 500, 10**6)) :]


def _repeat(chance: random.Random, data: bytes) -> bytes:
    first = chance.randrange(len(data) + 1)
    part = data[first : first + chance.choice((1, 5, 60, 1000))]
    return data[:first] + part * chance.choice((2, 3, 50)) + data[first:]


def _insert(chance: random.Random, data: bytes) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + chance.choice(TOKENS) + data[at:]


def _replace_token(chance: random.Random, data: bytes) -> bytes:
    found = list(_TOKEN.finditer(data[: 10**5]))
    if not found:
        return _insert(chance, data)
    where = chance.choice(found)
    return data[: where.start()] + chance.choice(TOKENS) + data[where.end() :]


def _in_tree(chance: random.Random, data: bytes) -> bytes:
    """Changes, drops, renames, repeats or moves one part of the JSON."""
    try:
        tree = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _flip(chance, data)
    places = list(_places(tree))
    if not places:
        return _flip(chance, data)
    holder, key = chance.choice(places)
    match chance.randrange(6):
        case 0:
            holder[key] = copy.deepcopy(chance.choice(VALUES))
        case 1:
            del holder[key]
        case 2:
            other, name = chance.choice(places)
            if (value := _get(other, name)) is not None:
                holder[key] = copy.deepcopy(value)
        case 3 if isinstance(holder, dict):
            holder[chance.choice(("x", "id", "user", "format", ""))] = holder.pop(key)
        case 4 if isinstance(holder, list):
            holder[key:key] = [copy.deepcopy(holder[key])] * chance.choice((1, 70, 300))
        case _:
            holder[key] = [holder[key]] * chance.choice((1, 2, 40))
    return json.dumps(tree).encode(errors="surrogatepass")


def _get(holder: Any, key: Any) -> Any:
    try:
        return holder[key]
    except (KeyError, IndexError):
        return None


def _places(tree: Any, most: int = 3000) -> Iterator[tuple[Any, Any]]:
    waiting = [tree]
    while waiting and most:
        holder = waiting.pop()
        keys = holder if isinstance(holder, dict) else range(len(holder))
        for key in tuple(keys):
            most -= 1
            yield holder, key
            if isinstance(holder[key], dict | list):
                waiting.append(holder[key])
            if not most:
                return


_MUTATIONS: tuple[Callable[[random.Random, bytes], bytes], ...] = (
    _flip,
    _cut,
    _repeat,
    _insert,
    _replace_token,
    *(_in_tree,) * 5,
)


def extremes() -> Iterator[tuple[str, bytes]]:
    """Yields (name, file): the costliest of each kind that still fits into a file."""
    whole = bases()[0]
    mega = 1024 * 1024

    def filled(field: str, value: bytes) -> bytes:
        """The file with one field that fills it."""
        tree = msgspec.json.decode(whole)
        holder = tree if field in tree else tree["scenario"]["schedule"]
        holder[field] = "HERE"
        return msgspec.json.encode(tree).replace(b'"HERE"', value)

    for name, unit in {
        "lists": b"[],",
        "objects": b"{},",
        "strings": b'"",',
        "numbers": b"1,",
        "escapes": b'"\\"",',
        "backslashes": b'"\\\\",',
        "long numbers": b"9" * 30 + b",",
        "longer numbers": b"9" * 4300 + b",",
        "floats": b"0." + b"1" * 29 + b",",
        "quotes": b'"',
        "open": b"[",
        "closed": b"]",
        "digits": b"1",
    }.items():
        yield name, unit * (mega // len(unit))
        room = (mega - len(whole) - 10) // len(unit)
        yield f"{name} in a file", filled("steps", b"[" + unit * room + b'""]')
    for most in (30_000, 60_000, 100_000):
        keys = ",".join(f'"{n}":1' for n in range(most)).encode()
        yield f"{most} keys", filled("classes", b"{" + keys + b"}")
        keys += b',"0":1'
        yield f"{most} keys, one twice", filled("classes", b"{" + keys + b"}")
    step = {"step": "read_state"}
    for depth in (5, 12, 13, 500, 5000):
        head, tail = b'{"step":"spawn","script":[', b"]}"
        nest = head * depth + json.dumps(step).encode() + tail * depth
        run = b'[{"operation":"run_agent","id":1,"user":0,"context":"x","script":['
        tree = msgspec.json.decode(whole)
        tree["scenario"]["operations"] = "HERE"
        data = msgspec.json.encode(tree)
        yield f"spawn {depth}", data.replace(b'"HERE"', run + nest + b"]}]")
    yield "one long string", filled("engine", b'"' + b"x" * 10**6 + b'"')
    yield "one long escape", filled("engine", b'"' + b"\\u0041" * 170_000 + b'"')
    many = [{"operation": "collect_garbage", "id": n} for n in range(10_000)]
    tree = msgspec.json.decode(whole)
    tree["scenario"]["operations"] = many
    yield "most operations", msgspec.json.encode(tree)
    many.append({"operation": "collect_garbage", "id": 10_000})
    yield "one operation too many", msgspec.json.encode(tree)
