"""Failures that tests of files are made from, and how a file is refused."""

import copy
import functools
import json
import time
import tracemalloc
from pathlib import Path
from typing import Any

import msgspec
import pytest

from isolation_spec.claims import judge
from isolation_spec.engines.registry import find_engine
from isolation_spec.execution.run import run
from isolation_spec.failure import BadFailureFile, Failure, load, make_failure
from isolation_spec.model.scenario import OpenContext, Scenario, Schedule, User

FAULTY = "reference+heartbeat-survives"
SECONDS = 5.0
"""CPU time; more than any file may take to be refused."""
MEGABYTES = 64
"""Less than reading a whole large file would take."""


def heartbeat_scenario(schedule: Schedule | None = None) -> Scenario:
    return Scenario(
        users=(User(label="alice", id="alice"),),
        operations=(OpenContext(id=2, user=0, context="x2", thread="t"),),
        schedule=schedule or Schedule(),
    )


@functools.cache
def heartbeat_failure() -> Failure:
    adapter = find_engine(FAULTY).make_adapter
    history = run(heartbeat_scenario(), adapter)
    judgements = judge(history, adapter().capabilities)
    (violation, *_) = next(j for j in judgements if j.claim == "teardown").violations
    return make_failure(FAULTY, history, violation, confirmed=True)


def changed(**fields: Any) -> Failure:
    return msgspec.structs.replace(heartbeat_failure(), **fields)


def as_data() -> Any:
    return copy.deepcopy(msgspec.to_builtins(heartbeat_failure()))


def refusal(path: Path) -> str:
    """The one sentence with which a file is refused; quickly, and in little memory."""
    tracemalloc.start()
    began = time.process_time()
    try:
        with pytest.raises(BadFailureFile) as caught:
            load(path)
    finally:
        seconds = time.process_time() - began
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    text = str(caught.value)
    assert seconds < SECONDS, text
    assert peak < MEGABYTES * 1024 * 1024, text
    assert "\n" not in text
    assert str(path) in text
    return text


def refusal_of(folder: Path, content: Any) -> str:
    path = folder / "some.json"
    if not isinstance(content, bytes):
        content = json.dumps(content).encode()
    path.write_bytes(content)
    return refusal(path)
