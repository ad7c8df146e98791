"""A run that hangs, or ends its process, is named and saved; the search goes on."""

import importlib
import json
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from isolation_spec.claims import Verdict
from isolation_spec.contract.errors import AdapterError
from isolation_spec.engines.registry import own_engine
from isolation_spec.execution.attribution import Frame, attribute, frames_dumped
from isolation_spec.execution.hang import HangReport, load_hang, save_hang
from isolation_spec.execution.interrupts import Interrupts
from isolation_spec.execution.isolation.subprocess import Parent
from isolation_spec.execution.isolation.time_limit import time_limit
from isolation_spec.execution.run import run
from isolation_spec.model.history.entries import LoopBlocked
from isolation_spec.model.scenario import (
    OpenContext,
    Read,
    RunAgent,
    Scenario,
    Think,
    User,
)
from isolation_spec.search.verification import verify
from isolation_spec.strategies.profiles import find_profile
from isolation_spec.world.schedulers.base import Scheduler
from tests.cli.command import SCRIPT, environment
from tests.execution.isolation.test_subprocess import Digest, run_apart

pytestmark = pytest.mark.slow

STRANGERS = Path(__file__).parents[2] / "strangers"
TIMEOUT = 4.0
"""Seconds for one run; generous, as a clean one takes milliseconds."""


class Ran(NamedTuple):
    """How one verification ended."""

    code: int
    out: str
    err: str
    result: dict[str, Any]
    folder: Path


REFUSED = {
    "Stopping": ("Stopping.read", "SystemExit"),
    "Interrupting": ("Interrupting.read", "KeyboardInterrupt"),
    "Basic": ("Basic.cleanup_user", "BaseException"),
    "Grouped": ("Grouped.read", "BaseExceptionGroup"),
    "Unstarted": ("Unstarted.start", "never came to its end"),
    "Listening": ("Listening.start", "NotImplementedError"),
    "UsedUp": ("__init__", "used up"),
    "Anonymous": ("Anonymous.identity", "7"),
}


SCENARIO = Scenario(
    users=(User(label="alice", id="a"),),
    operations=(
        OpenContext(id=1, user=0, context="x", thread="t"),
        RunAgent(id=2, user=0, context="x", script=(Think(prompt="p"),)),
        Read(id=3, user=0, context="x"),
    ),
)


def started(folder: Path, engine: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            SCRIPT,
            "verify",
            f"bad:{engine}",
            f"--run-timeout={TIMEOUT}",
            "--processes=1",
            f"--json={engine}.json",
            f"--failures={engine}",
        ],
        cwd=folder,
        env={**environment(), "PYTHONPATH": str(STRANGERS)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ran]:
    """All that are verified by the command, at the same time."""
    folder = tmp_path_factory.mktemp("bad")
    names = ("Troubled", "Stopping", "Waiting", "Careless")
    running = {name: started(folder, name) for name in names}
    done: dict[str, Ran] = {}
    for name, process in running.items():
        out, err = process.communicate(timeout=180)
        # A search that breaks off leaves no result.
        kept = folder / f"{name}.json"
        result = json.loads(kept.read_text()) if kept.exists() else {}
        done[name] = Ran(process.returncode, out, err, result, folder / name)
    return done


@pytest.fixture
def bad(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The module of bad adapters, fresh, in an empty folder."""
    monkeypatch.syspath_prepend(str(STRANGERS))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "bad", raising=False)
    return importlib.import_module("bad")


# Verified


def test_hangs_and_deaths_are_inconclusive_and_named(ran: dict[str, Ran]) -> None:
    """The verdict names the methods, the files of the scenarios, and how to replay."""
    one = ran["Troubled"]
    said = " ".join(one.out.split())
    paths = one.result["stuck"]

    assert (3, "") == (one.code, one.err), one.out
    assert "inconclusive: Troubled.read (bad.py:" in said
    assert "inconclusive: Troubled.shutdown (bad.py:" in said
    assert "ended the process: exit code 0" in said
    assert 2 == len(paths)
    assert all(f"\nSaved in {path}\n" in one.out for path in paths)
    assert f"replay {paths[0]} --engine bad:Troubled\n" in one.out


def test_the_search_goes_on_after_a_hang(ran: dict[str, Ran]) -> None:
    """All other examples of the profile are run, and judged."""
    result = ran["Troubled"].result

    examples = find_profile("quick").examples
    assert examples - 2 <= result["examples"] <= examples
    assert 2 == len(result["reasons"]), result["reasons"]
    assert {"holds", "not applicable"} == {one["verdict"] for one in result["claims"]}


def test_the_scenario_that_hung_is_saved(ran: dict[str, Ran]) -> None:
    """A file holds scenario, method, place and stack, readable by its owner alone."""
    for path in ran["Troubled"].folder.iterdir():
        hang = load_hang(path)

        assert path.name.endswith(".hang.json")
        assert 0o600 == path.stat().st_mode & 0o777
        assert "bad:Troubled" == hang.engine
        assert (hang.method, hang.how) in (
            ("Troubled.read", "hung"),
            ("Troubled.shutdown", "died"),
        )
        assert hang.place.startswith("bad.py:")
        assert any("bad.py:" in frame for frame in hang.stack)
        assert hang.scenario is not None
        assert hang.scenario.operations


def test_an_exit_is_refused_and_named(ran: dict[str, Ran]) -> None:
    """One line names the method and its exception, with exit code 2."""
    one = ran["Stopping"]

    assert 2 == one.code, one.out + one.err
    assert 1 == len(one.err.splitlines()), one.err
    assert "Stopping.read (bad.py:" in one.err
    assert "SystemExit" in one.err


def test_an_endless_await_is_violated_and_named(ran: dict[str, Ran]) -> None:
    """An operation that never ends names the method and the line in which it waits."""
    one = ran["Waiting"]

    assert (1, "") == (one.code, one.err)
    assert "never ends: it waits in Waiting.read (bad.py:" in " ".join(one.out.split())


def test_prints_and_handlers_change_no_verdict(
    ran: dict[str, Ran],
) -> None:
    """Prints and signal handlers leave the verdict and the output alone."""
    one = ran["Careless"]

    assert (0, "") == (one.code, one.err), one.out
    assert "holds" == one.result["verdict"]
    assert "written" not in one.out


def test_prints_are_in_no_output(ran: dict[str, Ran]) -> None:
    """Prints of a module during its import, and of an engine, are in no output."""
    assert [] == [name for name, one in ran.items() if "printed" in one.out + one.err]


# Run once


@pytest.mark.parametrize("engine", REFUSED)
def test_an_adapter_error_names_its_method(bad: ModuleType, engine: str) -> None:
    """An exception that would end the process, or a bad adapter, is an AdapterError."""
    if engine == "UsedUp":
        bad.UsedUp()
    with Interrupts(), pytest.raises(AdapterError) as caught:
        run(SCENARIO, getattr(bad, engine))

    for word in REFUSED[engine]:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("engine", "method", "how", "why"),
    [
        ("Busy", "Busy.cleanup_user", "hung", "within "),
        ("Crashing", "Crashing.read", "died", "SIGSEGV"),
    ],
)
def test_a_hang_in_another_process_is_named(
    bad: ModuleType, engine: str, method: str, how: str, why: str
) -> None:
    """A busy loop and a crash are named, with the scenario under way."""
    adapter = getattr(bad, engine)
    adapter.bad_at = 1

    def work(parent: Parent[Digest]) -> None:
        parent.beacon.begin_run(1, SCENARIO, Scheduler(SCENARIO.schedule))
        run(SCENARIO, adapter)

    hang = run_apart(work, list[Digest]().append, adapter=engine, allowed=1)

    assert hang is not None
    assert (method, how) == (hang.method, hang.how)
    assert hang.why.startswith(why)
    assert SCENARIO == hang.scenario


def holds(adapter: type[Any]) -> list[str]:
    """The holds of the loop in a run of the adapter: module and seconds."""
    history = run(SCENARIO, adapter)
    return [
        f"{entry.place.partition(':')[0]} {entry.seconds:g}"
        for entry in history.of(LoopBlocked)
    ]


HOLDS = ["bad 0.1", "bad 2"]
"""A wait is reported once the threads that could end it sleep, and ended later."""


def test_a_wait_in_another_process_is_recorded_and_left(bad: ModuleType) -> None:
    """A read without an answer ends the run, which is judged."""
    bad.Reading.bad_at = 1
    received: list[Digest] = []

    def work(parent: Parent[Digest]) -> None:
        parent.send(Digest(",".join(holds(bad.Reading))))

    assert None is run_apart(work, received.append, adapter="Reading", allowed=60)
    assert [Digest(",".join(HOLDS))] == received


def test_a_wait_in_this_process_is_recorded_and_left(bad: ModuleType) -> None:
    """The same history where a thread watches instead of another process."""
    bad.Reading.bad_at = 1

    with time_limit(60.0, "the run", at_once=False):
        assert HOLDS == holds(bad.Reading)


def test_the_handlers_of_signals_are_put_back(bad: ModuleType) -> None:
    """Handlers that an engine sets for SIGINT and SIGTERM are gone after the run."""
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    run(SCENARIO, bad.NotebookAdapter)
    others = signal.getsignal(signal.SIGUSR1), signal.getsignal(signal.SIGALRM)
    try:
        run(SCENARIO, bad.Careless)
    finally:
        signal.signal(signal.SIGUSR1, others[0])
        signal.signal(signal.SIGALRM, others[1])

    assert before == (
        signal.getsignal(signal.SIGINT),
        signal.getsignal(signal.SIGTERM),
    )


# Replayed


@pytest.mark.parametrize(
    ("engine", "outcome", "code"),
    [
        ("bad:Always", "REPRODUCED: Always.read (bad.py:", 1),
        ("notebook:NotebookAdapter", "FIXED: the run", 0),
    ],
)
def test_a_hang_is_replayed(
    tmp_path: Path, engine: str, outcome: str, code: int
) -> None:
    """The file shows the hang again as long as it is there, and that it is gone."""
    hang = HangReport(
        engine="bad:Always", how="hung", why="within 1 s", allowed=2, scenario=SCENARIO
    )
    path = save_hang(hang, tmp_path)

    done = subprocess.run(
        [SCRIPT, "replay", path, "--engine", engine, "--run-timeout", "1"],
        cwd=tmp_path,
        env={**environment(), "PYTHONPATH": str(STRANGERS)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (code, "") == (done.returncode, done.stderr), done.stdout
    assert done.stdout.startswith(outcome)
    assert (code == 1) == ("within 1 CPU s" in done.stdout)


# In this process


def test_a_hang_in_this_process_is_an_error_that_names_it(
    bad: ModuleType, tmp_path: Path
) -> None:
    """Where no other process watches, an alarm ends the run, unless one is set."""
    with pytest.raises(
        AdapterError, match=r"did not come back within 1\.5 s"
    ) as caught:
        verify(
            own_engine(bad.Busy),
            processes=0,
            run_timeout=1.5,
            folder=tmp_path,
        )

    assert str(caught.value).startswith("Busy.cleanup_user (bad.py:")
    assert signal.SIG_DFL is signal.getsignal(signal.SIGALRM)


def test_a_sleep_costs_no_time(bad: ModuleType, tmp_path: Path) -> None:
    """A sleep of a minute in a callback violates error-containment, at once."""
    result = verify(own_engine(bad.Sleeping), processes=0, folder=tmp_path)

    violated = [one.id for one in result.claims if one.verdict is Verdict.VIOLATED]
    assert ["error-containment"] == violated


def test_an_alarm_of_the_caller_is_left_alone() -> None:
    """A caller with an alarm of their own has a time limit of their own."""
    before = signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, 1000)
    try:
        with time_limit(0.001, "nothing"):
            pass
        left, _ = signal.getitimer(signal.ITIMER_REAL)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

    assert 900 < left


# Blame

PACKAGE = Path(attribute.__code__.co_filename).parents[1]


def frames(*calls: tuple[str, str]) -> tuple[Frame, ...]:
    return tuple(Frame(file, 1, function) for file, function in calls)


CONTRACT = str(PACKAGE / "contract" / "checked_adapter.py")
AGENT = str(PACKAGE / "contract" / "scripted_agent.py")


@pytest.mark.parametrize(
    ("calls", "method", "place"),
    [
        (
            [(CONTRACT, "read"), (CONTRACT, "_asked"), ("/e.py", "f"), ("/e.py", "x")],
            "A.read",
            "e.py:1",
        ),
        ([(CONTRACT, "gauges"), ("/e.py", "gauges")], "A.gauges", "e.py:1"),
        (
            [
                (CONTRACT, "run_agent"),
                ("/e.py", "run_agent"),
                (AGENT, "perform"),
                (AGENT, "_take"),
                ("/e.py", "think"),
            ],
            "Services.think",
            "e.py:1",
        ),
        ([("/e.py", "loop")], "", "e.py:1"),
        ([], "", ""),
    ],
)
def test_the_innermost_method_is_blamed(
    calls: list[tuple[str, str]], method: str, place: str
) -> None:
    """The last call of the contract on a stack, and the last line of the engine's."""
    found = attribute(frames(*calls), "A")

    assert method == found.method
    assert found.place.startswith(place)


def test_the_thread_of_the_search_is_found() -> None:
    """Of several threads in a dump, the one in this package is read."""
    run = str(PACKAGE / "execution" / "run.py")
    text = (
        "Thread 0x1 (most recent call first):\n"
        '  File "/lib/threading.py", line 5 in wait\n\n'
        "Current thread 0x2 (most recent call first):\n"
        '  File "/e.py", line 7 in read\n'
        f'  File "{run}", line 9 in run\n'
    )

    assert (Frame(run, 9, "run"), Frame("/e.py", 7, "read")) == frames_dumped(text)
