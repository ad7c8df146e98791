"""`isolation-spec verify`: its refusals, its output and its exit codes."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from isolation_spec.claims import CLAIMS
from isolation_spec.failure import load
from isolation_spec.strategies import profiles
from isolation_spec.strategies.profiles import Profile
from tests.cli.command import (
    FAULTY,
    SCRIPT,
    assert_refused,
    environment,
    hear_interrupts,
    isolation_spec,
    isolation_spec_process,
)
from tests.cli.conftest import Verified
from tests.in_process import Done

IDLE = '''
import asyncio

from isolation_spec.contract.adapter import Adapter


class Silence:
    """A connection that never receives a message."""

    close_code = 1000

    async def __aiter__(self):
        return
        yield

    async def close(self):
        pass

    def abort(self):
        pass


class Idle(Adapter):
    """Lets agents perform and does no more."""

    async def connect(self, user, *, claims_to_be=None, forged=False):
        return Silence()

    async def start(self, environment):
        pass

    async def open_context(self, user, thread, metadata):
        return user

    async def run_agent(self, user, context, agent):
        return await agent.perform(self)

    async def read(self, user, context):
        return {}

    def identity(self):
        return None

    async def think(self, prompt):
        return prompt

    async def emit(self, payload):
        pass

    async def sleep(self, seconds):
        await asyncio.sleep(seconds)

    async def cleanup_context(self, user, context):
        pass

    async def cleanup_user(self, user):
        pass

    async def shutdown(self):
        pass
'''

IDLE_ENGINE = f"{IDLE}\n\nengine = Idle\n"
MODULES = {
    "number": "engine = 7\n",
    "text": "def engine(): return 'an engine'\n",
    "nothing": "def engine(): return None\n",
    "raising": "def engine(): raise RuntimeError('no luck')\n",
    "two_lines": "def engine(): raise RuntimeError('first\\nsecond')\n",
    "needy": "def engine(required): pass\n",
    "broken": "def engine(:\n",
    "failing": "raise RuntimeError('at import')\n",
    "missing_import": "import no_such_module_at_all\n",
    "leaving": "import sys\nsys.exit(0)\n",
    "leaving_later": "import sys\ndef engine(): sys.exit(0)\n",
    "bad_start": IDLE
    + """

class engine(Idle):
    async def start(self, environment):
        raise OSError("port taken")
""",
    "bad_start_lines": IDLE
    + """

class engine(Idle):
    async def start(self, environment):
        raise OSError("first\\nsecond")
""",
    "bad_gauges": IDLE
    + """

class engine(Idle):
    def gauges(self, user):
        raise OSError("no gauge")
""",
    "bad_observer": IDLE
    + """

class engine(Idle):
    def observe(self):
        raise OSError("no table")
""",
    "no_run": IDLE.replace("run_agent", "run_agents") + "\n\nengine = Idle\n",
    "no_connect": IDLE.replace("def connect", "def no_connect")
    + """

class engine(Idle):
    capabilities = frozenset({"connections"})
""",
    "no_connection": IDLE.replace("return Silence()", "pass")
    + """

class engine(Idle):
    capabilities = frozenset({"connections"})
""",
    "void": IDLE
    + """

class engine(Idle):
    capabilities = frozenset({"transactions"})

    async def transact(self, items, error):
        if error is not None:
            raise error

    def observe(self):
        return []
""",
    "lazy": IDLE
    + """

class engine(Idle):
    async def run_agent(self, user, context, agent):
        pass
""",
    "idle": IDLE_ENGINE,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in MODULES.items():
        (tmp_path / f"{name}.py").write_text(text)
    return tmp_path


# Refused


@pytest.mark.parametrize(
    ("engine", "words"),
    [
        ("refrence", ("'refrence'", "reference", "module:factory")),
        ("", ("''", "reference")),
        ("reference+", ("'reference+'",)),
        ("reference+no-such-fault", ("'no-such-fault'", "heartbeat-survives")),
        ("idle:engine+heartbeat-survives", ("'reference'",)),
        ("no_such_module:engine", ("'no_such_module:engine'", "no_such_module")),
        ("..idle:engine", ("'..idle:engine'",)),
        (":engine", ("':engine'",)),
        ("idle:", ("'idle:'",)),
        ("idle:no_such_attribute", ("no_such_attribute",)),
        ("number:engine", ("'number:engine'", "int")),
        ("text:engine", ("'text:engine'", "str")),
        ("nothing:engine", ("'nothing:engine'", "NoneType")),
        ("raising:engine", ("'raising:engine'", "RuntimeError", "no luck")),
        ("two_lines:engine", ("'two_lines:engine'", "first")),
        ("needy:engine", ("'needy:engine'", "TypeError", "required")),
        ("broken:engine", ("'broken:engine'", "SyntaxError")),
        ("failing:engine", ("'failing:engine'", "RuntimeError", "at import")),
        ("missing_import:engine", ("no_such_module_at_all",)),
        ("leaving:engine", ("'leaving:engine'", "SystemExit")),
        ("leaving_later:engine", ("'leaving_later:engine'", "SystemExit")),
        ("no_run:engine", ("'no_run:engine'", "run_agent")),
    ],
)
def test_a_name_without_an_engine_is_refused(
    folder: Path, engine: str, words: tuple[str, ...]
) -> None:
    """A name without an adapter is refused in one line with the reason."""
    assert_refused(isolation_spec("verify", engine, folder=folder), *words)


@pytest.mark.parametrize(
    ("engine", "words"),
    [
        ("bad_start:engine", ("engine.start", "OSError", "port taken")),
        ("bad_start_lines:engine", ("engine.start", "OSError", "first")),
        ("bad_gauges:engine", ("engine.gauges", "OSError", "no gauge")),
        ("bad_observer:engine", ("engine.observe", "OSError", "no table")),
        ("no_connect:engine", ("engine.connect", "'connections'")),
        ("no_connection:engine", ("engine.connect", "NoneType")),
        ("lazy:engine", ("engine.run_agent never performed the agent",)),
    ],
)
def test_an_adapter_that_breaks_its_contract_is_refused(
    folder: Path, engine: str, words: tuple[str, ...]
) -> None:
    """A broken method is named in one line, with the rule."""
    assert_refused(isolation_spec("verify", engine, folder=folder), *words)


def test_an_unknown_profile_is_refused(tmp_path: Path) -> None:
    """The error lists the existing profiles."""
    done = isolation_spec("verify", "--profile", "quik", folder=tmp_path)

    assert_refused(done, "'quik'", "quick", "ci", "deep", "fuzz")


def test_a_result_that_cannot_be_written_is_refused_at_once(tmp_path: Path) -> None:
    """A JSON path that cannot be written is found before the search, not after it."""
    done = isolation_spec(
        "verify", FAULTY, "--json", "no-such-folder/r.json", folder=tmp_path
    )

    # A search would have printed its header first.
    assert_refused(done, "no-such-folder")
    assert "" == done.out
    assert not (tmp_path / ".isolation-spec").exists()


def test_a_folder_for_failures_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    """A folder for failures below a file is refused in one line."""
    (tmp_path / "file").touch()

    done = isolation_spec("verify", FAULTY, "--failures", "file/below", folder=tmp_path)

    assert_refused(done, "file/below")


# Violated


def test_a_violation_exits_with_1(verified: Verified) -> None:
    """A faulty engine exits with 1 and nothing on stderr."""
    assert (1, "") == (verified.done.code, verified.done.err)


def test_a_violation_prints_its_explanation_and_the_replay_command(
    verified: Verified,
) -> None:
    """Claim, scenario, contradiction, file and command stand in the output."""
    out = verified.done.out
    path = verified.failure.relative_to(verified.folder)

    assert "Let alice be cleaned up." in out
    assert ": contradiction." in out
    assert f"Saved in {path}\n" in out
    assert f"\nReplay with: isolation-spec replay {path}\n" in out


def test_a_violation_is_saved_confirmed(verified: Verified) -> None:
    """One file is left, which loads, is confirmed, and names engine and claim."""
    failure = load(verified.failure)

    assert (FAULTY, "teardown", True) == (
        failure.engine,
        failure.claim,
        failure.confirmed,
    )
    assert ".unconfirmed" not in verified.failure.name


def test_the_result_has_all_keys(verified: Verified) -> None:
    """The JSON result holds the keys that machines rely on."""
    result = json.loads(verified.json.read_text())

    assert {
        "engine",
        "profile",
        "verdict",
        "examples",
        "interleavings",
        "seconds",
        "peak_memory_mb",
        "claims",
        "reached",
        "failures",
    } <= set(result)
    assert {"id", "verdict", "evidence"} <= set.intersection(
        *(set(claim) for claim in result["claims"])
    )
    assert {
        "users",
        "runs_completed",
        "tools_run",
        "events_delivered",
        "handshakes",
        "database_sessions",
        "cancellations",
        "cleanups",
        "attacks",
    } == set(result["reached"])


def test_the_result_describes_the_search(verified: Verified) -> None:
    """Verdicts, counts and files in the JSON are those of this very search."""
    result = json.loads(verified.json.read_text())
    verdicts = {claim["id"]: claim["verdict"] for claim in result["claims"]}

    assert (FAULTY, "quick", "violated") == (
        result["engine"],
        result["profile"],
        result["verdict"],
    )
    assert [claim.id for claim in CLAIMS] == list(verdicts)
    assert ["teardown"] == [id for id, how in verdicts.items() if how == "violated"]
    assert [str(verified.failure.relative_to(verified.folder))] == result["failures"]
    assert 1 <= result["examples"] <= 110
    assert 1 <= result["interleavings"]
    assert 2 <= result["reached"]["users"]
    assert 10 < result["peak_memory_mb"] < 1000


def test_seconds_count_from_the_start_of_the_command(tmp_path: Path) -> None:
    """The import of the engine counts, and an older process in which it runs does
    not."""
    (tmp_path / "heavy.py").write_text(f"import time\ntime.sleep(0.2)\n{IDLE_ENGINE}")
    began = time.monotonic()

    isolation_spec(
        "verify", "heavy:engine", "--max-time=0.1", "--json=r.json", folder=tmp_path
    )

    waited = time.monotonic() - began
    assert 0.2 <= json.loads((tmp_path / "r.json").read_text())["seconds"] <= waited


def test_the_set_up_before_the_command_is_not_counted(tmp_path: Path) -> None:
    """A process that becomes the command after its set-up reports the command only."""
    code = (
        "import os, sys, time; time.sleep(1.0); print(time.monotonic(), flush=True); "
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    verify = (SCRIPT, "verify", FAULTY, "--quiet", "--processes=1", "--json=r.json")
    done = subprocess.run(
        [sys.executable, "-c", code, *verify],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    waited = time.monotonic() - float(done.stdout.splitlines()[0])

    assert json.loads((tmp_path / "r.json").read_text())["seconds"] < waited


def test_the_same_seed_finds_the_same_failure(
    verified: Verified, tmp_path: Path
) -> None:
    """Seed and profile alone decide the failure, byte for byte."""
    isolation_spec("verify", FAULTY, folder=tmp_path)
    (again,) = (tmp_path / ".isolation-spec" / "failures").iterdir()

    assert verified.failure.name == again.name
    assert verified.failure.read_bytes() == again.read_bytes()


# Inconclusive


def test_an_engine_that_begins_no_session_is_inconclusive(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search without activity exits with 3 and names the missing activity.

    Activity of undeclared capabilities is not missed.
    """
    small = Profile("small", examples=32, steps=16, schedules=2)
    monkeypatch.setattr(profiles, "PROFILES", (*profiles.PROFILES, small))
    done = isolation_spec(
        "verify", "void:engine", "--profile=small", "--json=r.json", folder=folder
    )

    assert (3, "") == (done.code, done.err)

    result = json.loads((folder / "r.json").read_text())
    (line,) = re.findall("^inconclusive: never reached: (.*)", done.out, re.MULTILINE)

    assert "inconclusive" == result["verdict"]
    assert not result["failures"]
    assert "database_sessions" == line
    assert 0 == result["reached"]["database_sessions"]


def test_a_terminal_without_the_characters_is_no_trouble(folder: Path) -> None:
    """A name that the terminal cannot encode is escaped, and the search goes on."""
    (folder / "motör.py").write_text(MODULES["void"], encoding="utf-8")

    done = isolation_spec_process(
        "verify",
        "motör:engine",
        "--max-time=0.1",
        folder=folder,
        PYTHONIOENCODING="ascii",
        PYTHONUTF8="0",
    )

    assert (3, "") == (done.code, done.err)
    assert r"verify mot\xf6r:engine" in done.out.replace("\n", " ")


# Interrupted


def interrupted(
    folder: Path, *arguments: str, when: Callable[[], bool], after: float = 0.0
) -> Done:
    """Ctrl-C: SIGINT to the whole group, `after` seconds after `when` became true."""
    process = subprocess.Popen(
        [SCRIPT, "verify", *arguments],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=hear_interrupts,
    )
    assert process.stdout is not None
    try:
        first = process.stdout.readline()
        while not when():
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        time.sleep(after)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    return Done(process.returncode, first + out, err)


def has_progressed(folder: Path) -> bool:
    """Whether the search in this folder has run an interleaving."""
    return has_event(folder, '"Progressed"', without='"interleavings": 0,')


def has_event(folder: Path, event: str, without: str = "\0") -> bool:
    """Whether the search in this folder has written a line with the event."""
    events = folder / "events.jsonl"
    return events.exists() and any(
        event in line and without not in line
        for line in events.read_text().splitlines()
    )


DEEP = ("reference", "--profile=deep", "--jsonl=events.jsonl")


@pytest.mark.parametrize("after", [0.0, 0.02, 0.05, 0.1, 0.2])
def test_a_search_that_is_interrupted_early_says_so(
    tmp_path: Path, after: float
) -> None:
    """Ctrl-C while the search is still starting exits with 130, without a traceback."""
    done = interrupted(tmp_path, *DEEP, when=lambda: True, after=after)

    assert "Traceback" not in done.out + done.err
    assert 130 == done.code, done
    assert "interrupted" in done.out + done.err


def test_an_interrupted_search_shows_its_activity(tmp_path: Path) -> None:
    """Ctrl-C in the middle exits with 130 and shows the activity until then."""
    done = interrupted(tmp_path, *DEEP, when=lambda: has_progressed(tmp_path))

    assert "Traceback" not in done.out + done.err
    assert 130 == done.code, done
    assert re.search(r"^reached [1-9][0-9,]* users", done.out, re.MULTILINE)
    assert "inconclusive: interrupted\n" in done.out


def test_an_interrupted_shrinking_leaves_the_failure(tmp_path: Path) -> None:
    """Each failure that a worker saved before Ctrl-C stays, and loads."""
    folder = tmp_path / ".isolation-spec" / "failures"
    done = interrupted(
        tmp_path,
        "reference+prefix-match",
        "--jsonl=events.jsonl",
        when=lambda: has_event(tmp_path, '"FailureFound"'),
    )
    saved = [load(path) for path in folder.iterdir()]

    assert "Traceback" not in done.out + done.err
    assert 130 == done.code, done
    assert saved
    assert not any(failure.confirmed for failure in saved)


def test_no_process_outlives_an_interrupted_search(tmp_path: Path) -> None:
    """After Ctrl-C no process of the search is left."""
    interrupted(tmp_path, *DEEP, when=lambda: has_progressed(tmp_path))

    left = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(tmp_path):
                left.append(process.cmdline())
        except psutil.Error:
            continue

    assert [] == left


def test_the_warnings_of_a_pool_are_not_shown(tmp_path: Path) -> None:
    """The ledger reports open connections; a warning for each run would hide it."""
    done = isolation_spec("verify", "reference+left-open", folder=tmp_path)

    assert (1, "") == (done.code, done.err)
