"""The plugin as its user meets it: sessions of pytest in processes of their own."""

import os
import re
import shlex
import signal
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from isolation_spec.engines.registry import find_engine
from isolation_spec.failure import Failure, load, save
from isolation_spec.failure.replay_command import replay_command
from isolation_spec.model.scenario import Demotion
from isolation_spec.search.verification import verify

STRANGERS = Path(__file__).parents[1] / "strangers"
BIN = Path(sys.executable).parent
GREEN = "notebook:NotebookAdapter"
RED = "leaking_notebook:LeakingNotebookAdapter"
MISTAKEN = "mistaken:MistakenAdapter"
MISTAKEN_SOURCE = """
from leaking_notebook import LeakingNotebook, LeakingNotebookAdapter


class Mistaken(LeakingNotebook):
    async def close(self, session):
        await super().close(session)
        if hasattr(session, "mistaken"):
            self.sessions.append(session)

    def user_of(self, session):
        user = super().user_of(session)
        if user != session.user:
            session.mistaken = True
        return user


class MistakenAdapter(LeakingNotebookAdapter):
    engine_class = Mistaken
"""
"""Whose run it takes for another's, it never closes: each leak is two violations."""
CLAIMS = [
    "context-ownership",
    "stored-writes",
    "tool-isolation",
    "error-containment",
    "teardown",
    "noninterference",
]
"""Those that apply to the notebook."""
ALL = [*CLAIMS, "everything-reached"]
PROFILES = """
import isolation_spec.strategies.profiles as profiles

profiles.PROFILES += (
    profiles.Profile("tiny", examples=24, steps=8, schedules=2),
    profiles.Profile("starved", examples=3, steps=8, schedules=2),
)
"""
STRICT = ("-W", "error", "-p", "no:cacheprovider", "--strict-markers")
SCOPE = ("-o", "asyncio_default_fixture_loop_scope=function")
"""What pytest-asyncio warns of if it is unset."""


def three_lines(name: str, engine: str, *, more: str = "") -> str:
    module, adapter = engine.split(":")
    return (
        "from isolation_spec import isolation_test_case\n"
        f"from {module} import {adapter}\n"
        f"{name} = isolation_test_case({adapter}{more})\n"
    )


class Session(NamedTuple):
    """How a session ended, what it wrote, and the folder in which it was started."""

    code: int
    out: str
    folder: Path

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def verdicts(self) -> dict[str, str]:
        """How each test of a session with -v went, by its node id."""
        line = re.compile(r"^(\S+::\S+) ([A-Z]{6,})", re.MULTILINE)
        spread = re.compile(r"^\[gw\d+\] \[ *\d+%\] ([A-Z]+) (\S+::\S+)", re.MULTILINE)
        one = dict(line.findall(self.out))
        return {**one, **{name: how for how, name in spread.findall(self.out)}}

    @property
    def counts(self) -> dict[str, int]:
        """How many tests passed, failed, and so on."""
        found = re.findall(r"(\d+) ([a-z]+)", self.lines[-1].partition(" in ")[0])
        return {what: int(count) for count, what in found}

    def has_line(self, pattern: str) -> bool:
        return any(fnmatch(line, pattern) for line in self.lines)


def session(
    folder: Path, *options: object, executable: str = "pytest", **variables: str
) -> Session:
    """A session of pytest, started in the folder; both streams are in its output."""
    unlike = {"FORCE_COLOR", "CI", "BUILD_NUMBER"}
    plain = {name: value for name, value in os.environ.items() if name not in unlike}
    more = {"PYTHONPATH": str(STRANGERS), "COLUMNS": "80", "NO_COLOR": "1", **variables}
    done = subprocess.run(
        [BIN / executable, *map(str, options)],
        cwd=folder,
        env={**plain, **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    return Session(done.returncode, done.stdout, folder)


def settled(folder: Path, *, ini: str = "isolation_profile = tiny") -> Path:
    """The folder, with two profiles that are over at once, and an ini file."""
    (folder / "conftest.py").write_text(PROFILES)
    (folder / "pytest.ini").write_text(f"[pytest]\n{ini}\n")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return settled(tmp_path)


@pytest.fixture(scope="module")
def green(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """A session with a test case of the correct notebook."""
    folder = settled(tmp_path_factory.mktemp("green"))
    (folder / "test_engine.py").write_text(three_lines("TestMine", GREEN))
    return session(folder, "-v")


@pytest.fixture(scope="module")
def red(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """A session with a test case of the mistaken one, started below the rootdir."""
    folder = settled(tmp_path_factory.mktemp("red"), ini="")
    (folder / "tests").mkdir()
    (folder / "tests/mistaken.py").write_text(MISTAKEN_SOURCE)
    (folder / "tests/test_leak.py").write_text(three_lines("TestLeak", MISTAKEN))
    return session(folder / "tests", "-v", "--junitxml", "junit.xml")


# A test case


def test_three_lines_are_a_test_of_each_claim(green: Session) -> None:
    """Each claim that applies is one test, and nothing is left of a green one."""
    expected = {f"test_engine.py::TestMine::{name}": "PASSED" for name in ALL}

    assert expected == green.verdicts, green.out
    assert 0 == green.code
    assert green.has_line("isolation-spec: *, profile tiny")
    assert not (green.folder / ".isolation-spec").exists()


def test_green_is_quiet(green: Session) -> None:
    """Without -v the table is not shown: one line says what was done."""
    done = session(green.folder, "-q")

    (line,) = [line for line in done.lines if "isolation" in line]
    assert re.fullmatch(
        rf"isolation: {GREEN} holds: 6 claims hold, \d+ interleavings, [\d.]+ s "
        r"\(profile tiny, seed 0\)",
        line,
    )
    assert "\nclaim  " in green.out


def test_distinct_claims_are_distinct_failures(red: Session) -> None:
    """Each violated claim is a failure with its story, and nothing of ours.

    What the search could not judge any more is skipped, beside a failure that says so.
    """
    verdicts = {name.split("::")[-1]: how for name, how in red.verdicts.items()}

    assert 1 == red.code
    failed = {name for name, how in verdicts.items() if how == "FAILED"}
    assert {"context-ownership", "teardown"} <= failed, red.out
    assert failed == {name for name in ALL if red.has_line(f"{name} * violated *")}
    assert "SKIPPED" == verdicts["everything-reached"]
    assert len(failed) == red.out.count("\nHowever, ")
    assert "Traceback" not in red.out
    assert "isolation_spec/" not in red.out
    assert red.has_line("context-ownership  violated *")
    assert red.has_line("event-routing      not applicable *0")


def test_a_story_is_told_once_where_pytest_repeats_messages(red: Session) -> None:
    """Where CI is set, pytest's own summary has the first sentence of each story."""
    done = session(red.folder, CI="true")

    assert done.counts["failed"] == done.out.count("\nHowever, ")
    assert done.has_line("FAILED *::teardown - teardown: *")


def test_a_failure_file_lands_under_the_rootdir_and_replays(red: Session) -> None:
    """Wherever pytest is started, files go to one place, and the command works."""
    files = list((red.folder.parent / ".isolation-spec/failures").glob("*.json"))
    commands = set(re.findall(r"^Replay with: (.*)$", red.out, re.MULTILINE))

    assert red.counts["failed"] == len(files) == len(commands)
    assert not (red.folder / ".isolation-spec").exists()
    for command in commands:
        name, *words = shlex.split(command)
        done = session(red.folder, *words, executable=name)
        assert 1 == done.code
        assert done.out.startswith("REPRODUCED: ")


def test_junit_has_the_properties(red: Session) -> None:
    """A machine reads verdict, evidence, seed, interleavings and file of each claim."""
    cases = {
        case.get("name"): {one.get("name"): one.get("value") for one in case[0]}
        for case in ElementTree.parse(red.folder / "junit.xml").iter("testcase")
    }

    told = cases["context-ownership"]
    assert ("context-ownership", "violated") == (told["claim"], told["verdict"])
    assert int(told["evidence"] or 0) > 0
    assert int(told["interleavings"] or 0) > 0
    assert ("0", MISTAKEN, "quick") == (told["seed"], told["engine"], told["profile"])
    assert load(red.folder / str(told["failure_file"])).confirmed
    assert "violated" == cases["everything-reached"]["verdict"]


def test_inconclusive_fails_and_says_what_was_never_reached(folder: Path) -> None:
    """A search too short to reach everything is red, not green."""
    (folder / "test_engine.py").write_text(
        three_lines("TestMine", GREEN, more=", profile='starved'")
    )

    result = session(folder, "-v")

    assert 1 == result.code
    assert "FAILED" == result.verdicts["test_engine.py::TestMine::everything-reached"]
    assert result.has_line("inconclusive: never reached: *")


def test_a_claim_alone_is_never_green_for_want_of_evidence(folder: Path) -> None:
    """Selected alone, a claim that the search did not come to fails: nobody else
    would."""
    (folder / "test_leak.py").write_text(three_lines("TestLeak", RED))

    result = session(folder, "test_leak.py::TestLeak::error-containment")

    assert {"failed": 1} == result.counts, result.out
    assert result.has_line(
        "inconclusive: the search stopped when it found context-ownership violated"
    )


def test_fixtures_that_are_around_every_test_are_around_these(folder: Path) -> None:
    """An adapter that needs what a user's autouse fixture sets up finds it there."""
    (folder / "test_engine.py").write_text(
        "import os, pytest\n"
        "from isolation_spec import IsolationTestCase, isolation_test_case\n"
        "from notebook import NotebookAdapter\n"
        "class Needy(NotebookAdapter):\n"
        "    async def start(self, environment):\n"
        "        os.environ['ADDRESS']\n"
        "        await super().start(environment)\n"
        "@pytest.fixture(autouse=True)\n"
        "def address(monkeypatch):\n"
        "    monkeypatch.setenv('ADDRESS', 'here')\n"
        "TestMine = isolation_test_case(Needy)\n"
    )

    result = session(folder)

    # The base class beside it is no test case.
    assert {"passed": len(ALL)} == result.counts, result.out


SLOW = """

import pytest

def pytest_addoption(parser):
    parser.addoption("--runslow", action="store_true")

def pytest_collection_modifyitems(config, items):
    for item in items:
        if item.get_closest_marker("slow") and not config.getoption("--runslow"):
            item.add_marker(pytest.mark.skip(reason="need --runslow"))
"""
SKIPPED = {
    "skip": "@pytest.mark.skip(reason='later')",
    "skipif": "@pytest.mark.skipif(True, reason='later')",
    "runslow": "@pytest.mark.slow",
}


@pytest.mark.parametrize("form", SKIPPED)
def test_a_skipped_case_is_skipped_and_not_searched(folder: Path, form: str) -> None:
    """A marker on a test case skips each of its tests; the session goes on."""
    with (folder / "conftest.py").open("a") as conftest:
        conftest.write(SLOW)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = slow\n")
    (folder / "test_leak.py").write_text(
        f"import pytest\n{three_lines('Leaking', RED)}"
        f"{SKIPPED[form]}\nclass TestLeak(Leaking):\n    pass\n"
        "del Leaking\n"
        "def test_beside(): pass\n"
    )

    result = session(folder, "-rs")

    assert {"passed": 1, "skipped": len(ALL)} == result.counts, result.out
    assert 0 == result.code


def test_a_mark_on_a_module_skips_its_cases(folder: Path) -> None:
    """`pytestmark` skips each test of the cases in its module."""
    (folder / "test_leak.py").write_text(
        f"import pytest\n{three_lines('TestLeak', RED)}"
        "pytestmark = pytest.mark.skip(reason='later')\n"
    )

    result = session(folder)

    assert {"skipped": len(ALL)} == result.counts, result.out
    assert 0 == result.code


# Beside other plugins and settings

HYPOTHESIS = """
from hypothesis import settings

settings.register_profile("mine", max_examples=7, database=None)
settings.load_profile("mine")
mine = settings.default

def pytest_sessionfinish(session):
    assert settings.default is mine
"""
BESIDE = """
import asyncio

import pytest
from hypothesis import given, strategies

seen = []


@given(strategies.integers())
def test_of_hypothesis(number):
    seen.append(number)


def test_its_settings_are_the_users():
    assert len(seen) == 7


@pytest.mark.asyncio
async def test_of_asyncio():
    await asyncio.sleep(0)
"""


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_everything_is_strict(folder: Path, mode: str) -> None:
    """Warnings are errors, markers and settings strict, and the user's own Hypothesis
    profile and async tests are beside it."""
    (folder / "conftest.py").write_text(PROFILES + HYPOTHESIS)
    (folder / "test_engine.py").write_text(three_lines("TestMine", GREEN) + BESIDE)
    options = (*STRICT, "--strict-config", f"--asyncio-mode={mode}", *SCOPE)

    result = session(folder, *options)

    assert 0 == result.code
    assert {"passed": len(ALL) + 3} == result.counts, result.out


COUNTED = """
import os
from isolation_spec import isolation_test_case
from {module} import {adapter}


class Counted({adapter}):
    async def start(self, environment):
        with open("pids.txt", "a") as file:
            print(os.getpid(), file=file)
        await super().start(environment)


TestMine = isolation_test_case(Counted)
"""


@pytest.mark.parametrize("spread", ["load", "worksteal", "loadscope"])
def test_processes_share_one_search(folder: Path, spread: str) -> None:
    """Under pytest-xdist one process searches, and all of them tell its verdict."""
    module, adapter = RED.split(":")
    (folder / "test_leak.py").write_text(COUNTED.format(module=module, adapter=adapter))
    options = ("-n", "2", "--dist", spread, *STRICT, "--strict-config", *SCOPE)

    result = session(folder, "-v", *options)
    found = result.verdicts

    assert {f"test_leak.py::TestMine::{name}" for name in ALL} == set(found)
    assert "FAILED" == found["test_leak.py::TestMine::context-ownership"]
    assert 1 == len(set((folder / "pids.txt").read_text().split()))
    assert 1 == result.out.count("\nclaim ")


def test_a_process_that_ends_is_not_followed_by_the_next(folder: Path) -> None:
    """An engine that ends its process ends one of them; other tests say why."""
    (folder / "test_exit.py").write_text(
        COUNTED.format(module="notebook", adapter="NotebookAdapter")
        + "\n\nasync def leave(self, environment):\n    os._exit(3)\n\n\n"
        "Counted.start = leave\n"
    )

    result = session(folder, "-n", "2", *SCOPE)

    assert 1 == result.code
    assert 1 == result.out.count("crashed while running")
    assert result.has_line("*the process that searched*ended all at once*")


def test_without_anything_to_verify_nothing_is_imported(folder: Path) -> None:
    """In a session without engines, the plugin costs next to nothing."""
    heavy = {"hypothesis", "sqlalchemy", "websockets", "msgspec", "rich", "filelock"}
    (folder / "conftest.py").write_text(
        "import sys\n"
        "def pytest_sessionfinish(session):\n"
        f"    print('heavy:', sorted({heavy} & set(sys.modules)))\n"
        "    ours = [name for name in sys.modules if 'isolation_spec' in name]\n"
        "    print('ours:', len(ours))\n"
    )
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_nothing.py").write_text("def test_nothing(): pass")

    result = session(folder, "-s", "-q")

    assert {"passed": 1} == result.counts, result.out
    assert result.has_line("*heavy: []")
    assert result.has_line("ours: 3")


def test_unittest_runs_it_too(folder: Path) -> None:
    """Without pytest each violated claim is a failed subtest."""
    (folder / "test_leak.py").write_text(three_lines("TestLeak", RED))

    done = session(folder, "-m", "unittest", "test_leak", executable="python")

    assert 1 == done.code
    assert "(claim='context-ownership')" in done.out
    assert done.lines[-1].startswith("FAILED (failures=")


# Options


def test_an_engine_is_verified_by_its_name(folder: Path) -> None:
    """Each engine that an option names is a test case, in a folder without tests."""
    options = ("--isolation-engine", GREEN, "--isolation-engine", RED)

    result = session(folder, "-v", *options)
    found = result.verdicts

    assert {f"isolation-engine::{GREEN}::{name}" for name in ALL} <= set(found)
    assert "FAILED" == found[f"isolation-engine::{RED}::context-ownership"]
    assert "PASSED" == found[f"isolation-engine::{GREEN}::context-ownership"]
    assert result.has_line(f"isolation-spec: *engines {GREEN}, {RED}")


def test_an_engine_may_stand_beside_the_user(folder: Path) -> None:
    """`module:factory` is found in the folder from which pytest is started."""
    (folder / "mine.py").write_text("from notebook import NotebookAdapter as Mine")

    done = session(folder, "-q", "--isolation-engine", "mine:Mine")

    assert 0 == done.code, done.out


def test_the_engines_of_an_ini_file_stand_with_the_test_paths(folder: Path) -> None:
    """They are verified unless the user names a path, also by several processes."""
    (folder / "pytest.ini").write_text(
        f"[pytest]\nisolation_profile = tiny\nisolation_engine =\n    {GREEN}\n"
    )
    (folder / "test_other.py").write_text("def test_other(): pass")

    everything = session(folder, "-n", "2", "-W", "error", *SCOPE)
    one = session(folder, "test_other.py")

    assert {"passed": len(ALL) + 1} == everything.counts, everything.out
    assert {"passed": 1} == one.counts, one.out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--isolation-profile", "nope"), "*'nope'*quick*ci*deep*"),
        (("--isolation-profile", "nope", "-n", "2"), "*'nope'*quick*ci*deep*"),
        (("-o", "isolation_profile=nope"), "*'nope'*quick*ci*deep*"),
        (("--isolation-engine", "nope"), "*'nope'*reference*module:factory*"),
        (("--isolation-engine", "nope:nope"), "*'nope:nope'*import path*"),
        (("--isolation-replay", "nope"), "*no file or folder*nope*"),
        (("--isolation-replay", "empty"), "*empty holds no failure file (*.json)"),
        (("--isolation-failures", "conftest.py"), "*cannot be saved*conftest.py*"),
    ],
)
def test_what_cannot_be_done_is_a_usage_error(
    folder: Path,
    options: tuple[str, ...],
    words: str,
) -> None:
    """One line says what was given and what to write instead, before anything runs."""
    (folder / "empty").mkdir()

    result = session(folder, *options)

    assert pytest.ExitCode.USAGE_ERROR == result.code
    assert result.has_line(f"ERROR: {words}")
    assert "Traceback" not in result.out


def test_the_option_decides_the_profile_of_all(folder: Path) -> None:
    """--isolation-profile outranks the test case, the test case the ini file."""
    (folder / "test_engine.py").write_text(
        three_lines("TestMine", GREEN, more=", profile='starved'")
    )

    own = session(folder, "-q")
    given = session(folder, "-q", "--isolation-profile", "tiny")

    assert (1, 0) == (own.code, given.code)
    assert "profile starved" in own.out
    assert "profile tiny" in given.out


@pytest.mark.parametrize(
    "options",
    [("--isolation-failures", "kept"), ("-o", "isolation_failures=kept")],
    ids=["option", "ini"],
)
def test_failure_files_go_where_the_user_says(
    folder: Path, options: tuple[str, ...]
) -> None:
    """The folder of the option or of the ini file gets them, and no other."""
    (folder / "test_leak.py").write_text(three_lines("TestLeak", RED))

    result = session(folder, *options)
    saved = set(re.findall(r"^Saved in (.*)$", result.out, re.MULTILINE))
    files = list((folder / "kept").glob("*.json"))
    replay = ("replay", *files, "--engine", RED)

    assert files
    assert saved == {f"kept/{file.name}" for file in files}, result.out
    assert not (folder / ".isolation-spec").exists()
    done = session(folder, *replay, executable="isolation-spec")
    assert len(files) == len(re.findall(r"^REPRODUCED", done.out, re.MULTILINE))


def test_markers_select(folder: Path) -> None:
    """`isolation` is on every test of ours, and on no other."""
    (folder / "test_engine.py").write_text(
        three_lines("TestMine", GREEN) + "\n\ndef test_other(): pass\n"
    )
    options = ("--collect-only", "-q", "--strict-markers", "--isolation-engine", GREEN)

    ours = session(folder, *options, "-m", "isolation")
    others = session(folder, *options, "-m", "not isolation")

    assert 2 * len(ALL) == len([line for line in ours.lines if "::" in line])
    (other,) = [line for line in others.lines if "::" in line]
    assert "test_engine.py::test_other" == other


# Replay


@pytest.fixture(scope="module")
def leak(tmp_path_factory: pytest.TempPathFactory) -> Failure:
    """A failure of the leaking notebook's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(STRANGERS)
        folder = tmp_path_factory.mktemp("leak")
        verify(find_engine(RED), processes=0, folder=folder)
    (path,) = folder.glob("*context-ownership*")
    return load(path)


def drifting(failure: Failure) -> Failure:
    """The failure with a choice whose place never comes."""
    schedule = failure.scenario.schedule
    lost = Demotion(chain="99/database", consumed=3, rank=0)
    scenario = msgspec.structs.replace(
        failure.scenario, schedule=msgspec.structs.replace(schedule, demotions=(lost,))
    )
    return msgspec.structs.replace(failure, scenario=scenario)


def kept(folder: Path, leak: Failure) -> dict[str, str]:
    """Files of each kind in the folder `kept`, and how each of them must go.

    What is not confirmed, and what lies in a folder of its own, is left out.
    """
    replace = msgspec.structs.replace
    fixed = replace(leak, engine=GREEN)
    files = {
        "reproduced.json": (leak, "FAILED"),
        "fixed.json": (fixed, "PASSED"),
        "drifted.json": (drifting(fixed), "FAILED"),
        "unsupported.json": (replace(leak, engine="nobody:Nothing"), "FAILED"),
    }
    (folder / "kept/older").mkdir(parents=True)
    for name, (failure, _) in files.items():
        save(failure, folder / "saving").rename(folder / "kept" / name)
    for name in ("broken.json", "left-out.unconfirmed.json", "older/left-out.json"):
        (folder / "kept" / name).write_text("{}")
    return {
        **{f"isolation-replay::{name}": how for name, (_, how) in files.items()},
        "isolation-replay::broken.json": "FAILED",
    }


GIVEN = """
import sys
sys.modules["hypothesis"] = None
from isolation_spec import isolation_test_case
from leaking_notebook import LeakingNotebookAdapter
from notebook import NotebookAdapter
TestGreen = isolation_test_case(NotebookAdapter)
TestRed = isolation_test_case(LeakingNotebookAdapter)
"""


@pytest.mark.parametrize("spread", [(), ("-n", "2")], ids=["one", "two"])
def test_each_kept_file_is_a_test_of_its_own_name(
    folder: Path, leak: Failure, spread: tuple[str, ...]
) -> None:
    """FIXED passes, all else fails and says why, nothing is skipped or needs
    Hypothesis."""
    (folder / "conftest.py").write_text("")
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_given.py").write_text(GIVEN)
    expected = kept(folder, leak)
    # Its own plugin would import what is made impossible to import.
    without = ("-p", "no:hypothesispytest", *STRICT, *SCOPE)
    options = ("--isolation-replay", "kept", "-m", "isolation_replay", *without)

    result = session(folder, "-v", *options, *spread)
    text = result.out

    assert expected == result.verdicts, result.out
    assert 1 == result.code
    assert f"REPRODUCED: context-ownership on {RED}" in text
    assert "\nHowever, " in text
    assert "DRIFTED: context-ownership" in text
    assert re.search(
        r"^differs from the saved run: no place for the demotion of 99/database; "
        r"at step \d+ \(expected .+, saw .+\)$",
        text,
        re.MULTILINE,
    )
    assert "UNSUPPORTED: the file names the engine 'nobody:Nothing'" in text
    assert "broken.json is not a failure file" in text
    assert "Traceback" not in text
    (line,) = [one for one in result.lines if one.startswith("isolation: replayed")]
    for part in ("1 FIXED", "1 REPRODUCED", "1 DRIFTED", "2 UNSUPPORTED"):
        assert part in line


def test_one_file_is_replayed_with_the_engine_that_is_given(
    folder: Path, leak: Failure
) -> None:
    """`--isolation-engine` gives an engine that a file names and that is not
    registered."""
    path = save(leak, folder / "kept")
    options = ("--isolation-replay", path, "-m", "isolation_replay", "-v")

    given = session(folder, *options, "--isolation-engine", RED)
    alone = session(folder, *options)

    assert {f"isolation-replay::{path.name}": "FAILED"} == given.verdicts
    assert given.has_line(f"REPRODUCED: context-ownership on {RED}")
    assert alone.has_line(f"UNSUPPORTED: *--isolation-engine {RED}*")


def test_the_command_names_an_engine_that_is_not_registered() -> None:
    """A path with a space is quoted, and an engine of the user's is given by them."""
    command = replay_command("my failures/a.json", "mine:Adapter")

    assert "isolation-spec replay a.json" == replay_command("a.json", "reference")
    assert "isolation-spec replay 'my failures/a.json' --engine mine:Adapter" == command


# What goes wrong


def test_a_broken_adapter_is_one_clear_failure(folder: Path) -> None:
    """One test names the method and the rule; the others say that it does."""
    (folder / "test_engine.py").write_text(
        "from isolation_spec import isolation_test_case\n"
        "from notebook import NotebookAdapter\n"
        "class Broken(NotebookAdapter):\n"
        "    async def read(self, user, context):\n"
        "        return ['not a mapping']\n"
        "TestMine = isolation_test_case(Broken)\n"
    )

    result = session(folder)
    text = result.out

    assert {"failed": 1, "skipped": len(ALL) - 1} == result.counts, result.out
    assert re.search(r"^\S*read\b.*", text, re.MULTILINE), text
    assert "Traceback" not in text
    assert "isolation_spec/" not in text


def test_what_is_no_adapter_is_an_error_in_the_users_line(folder: Path) -> None:
    """The line of the test file is shown with the rule, and no code of ours."""
    (folder / "test_engine.py").write_text(
        "from isolation_spec import isolation_test_case\n"
        "TestMine = isolation_test_case(dict)\n"
    )

    result = session(folder)
    text = result.out

    assert {"error": 1} == result.counts, result.out
    assert "gave dict: it must be a class or function" in text
    assert "test_engine.py:2" in text
    assert "isolation_spec/" not in text


def test_an_interrupt_keeps_what_was_found(folder: Path) -> None:
    """Interrupted while it shrinks, the session stops, and names the file it saved."""
    (folder / "test_leak.py").write_text(
        "import os, signal\n"
        "from isolation_spec import isolation_test_case\n"
        "from leaking_notebook import LeakingNotebookAdapter\n"
        "starts = []\n"
        "class Interrupted(LeakingNotebookAdapter):\n"
        "    async def start(self, environment):\n"
        "        starts.append(1)\n"
        "        saved = list(Path('.isolation-spec').rglob('*.json'))\n"
        "        if saved and len(starts) > 40:\n"
        f"            os.kill(os.getpid(), {int(signal.SIGINT)})\n"
        "        await super().start(environment)\n"
        "TestLeak = isolation_test_case(Interrupted)\n"
        "def test_later(): pass\n"
    )
    text = (folder / "test_leak.py").read_text()
    (folder / "test_leak.py").write_text(f"from pathlib import Path\n{text}")

    result = session(folder, "-v")
    (path,) = (folder / ".isolation-spec/failures").glob("*.json")

    assert pytest.ExitCode.INTERRUPTED == result.code
    assert not load(path).confirmed
    assert result.has_line(f"Saved in {os.path.relpath(path, folder)}")
    assert "test_later" not in result.out
