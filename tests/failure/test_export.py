"""An exported test says the same as the file, and fails until the engine is fixed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isolation_spec.claims import StoredWritesViolated, judge
from isolation_spec.claims.facts import RecordedText
from isolation_spec.engines.registry import find_engine
from isolation_spec.execution.run import run
from isolation_spec.failure import (
    Failure,
    assert_holds,
    export_test,
    make_failure,
    to_python,
)
from isolation_spec.model import scenario as model
from isolation_spec.model.scenario import (
    CleanupUser,
    Erase,
    OpenContext,
    Read,
    Scenario,
    Schedule,
    User,
    Write,
    canary,
)
from tests.failure.failures import changed, heartbeat_scenario
from tests.failure.mutations import every_kind
from tests.model.scenario.test_scenario import scenarios
from tests.strategies.drawn import draw

pytestmark = pytest.mark.slow

FAULTY = "reference+prefix-match"
BOBS = canary("bob", 4, 1)
PREFIX = Scenario(
    users=(User(label="alice", id="u1"), User(label="bob", id="u11")),
    operations=(
        OpenContext(id=2, user=0, context="x", thread="t"),
        OpenContext(id=3, user=1, context="x", thread="t"),
        Write(id=4, user=1, context="x", key="k", value=BOBS),
        Read(id=5, user=0, context="x"),
    ),
)


def prefix_failure() -> Failure:
    adapter = find_engine(FAULTY).make_adapter
    history = run(PREFIX, adapter)
    judgements = judge(history, adapter().capabilities)
    (violation, *_) = next(
        j for j in judgements if j.claim == "context-ownership"
    ).violations
    return make_failure(FAULTY, history, violation, confirmed=True)


def evaluated(text: str) -> Scenario:
    found: Scenario = eval(text, {"__builtins__": {}}, vars(model))
    return found


@settings(
    max_examples=40,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(scenarios())
def test_the_constructors_give_the_scenario(scenario: Scenario) -> None:
    """The exported text of any scenario evaluates to an equal scenario."""
    assert scenario == evaluated(to_python(scenario))


@pytest.mark.parametrize("index", range(0, 30, 6))
def test_the_constructors_of_drawn_scenarios_give_them(index: int) -> None:
    """A drawn scenario is exported as it is."""
    scenario = draw(seed=1, examples=30)[index].scenario

    assert scenario == evaluated(to_python(scenario))


@given(st.text())
@settings(max_examples=60, deadline=None, database=None)
def test_no_string_of_a_file_becomes_code(text: str) -> None:
    """Any text of an engine, a fact or a payload stays a literal or a comment."""
    users = (User(label=text, id=text),)
    operation = Write(id=1, user=0, context=text, key=text, value=text)
    scenario = Scenario(users=users, operations=(operation,))
    violation = changed().violation
    violation = type(violation)(
        claim="teardown",
        clause=text,
        fact=RecordedText(let=(text,), then=text, however=text),
        entry=0,
    )
    source = export_test(changed(scenario=scenario, violation=violation), text)
    names: dict[str, object] = {}

    exec(compile(source, "test_it.py", "exec"), names)

    assert (text, scenario) == (names["ENGINE"], names["SCENARIO"])
    assert {"ENGINE", "SCENARIO", "Scenario", "User", "Write", "assert_holds"} == {
        name for name in names if not name.startswith(("__", "test_"))
    }


@pytest.mark.parametrize(
    "hostile",
    [
        '"""\nimport os\nos.abort()\n"""',
        "'''",
        "\\",
        "'\n)\nimport os\n(",
        '" + exit() + "',
        "# -*- coding: utf-7 -*-",
        "\u2028import os",
        "\u202eimport os",
        "{exit()}",
        "\x00",
        "a'b\"c",
    ],
)
def test_hostile_strings_stay_strings(hostile: str) -> None:
    """Known attempts to break out of a literal or a comment fail."""
    test_no_string_of_a_file_becomes_code.hypothesis.inner_test(hostile)  # type: ignore[attr-defined]


@pytest.mark.parametrize("scenario", [every_kind(), PREFIX, heartbeat_scenario()])
def test_an_exported_test_is_formatted(scenario: Scenario, tmp_path: Path) -> None:
    """Neither the formatter nor the linter has anything to change."""
    path = tmp_path / "test_it.py"
    path.write_text(export_test(changed(scenario=scenario), FAULTY))
    ruff = Path(sys.executable).with_name("ruff")

    for command in (["format", "--check", "--diff"], ["check", "--select", "E,F,I"]):
        done = subprocess.run(
            [ruff, *command, "--isolated", "--no-cache", path],
            capture_output=True,
            text=True,
            check=False,
        )
        assert 0 == done.returncode, done.stdout + done.stderr


def test_each_operation_begins_a_line() -> None:
    """A reader goes from operation to operation, in order."""
    lines = to_python(every_kind()).splitlines()
    indent = " " * 8
    begun = [line for line in lines if line.startswith(indent) and line[8] not in " )"]

    kinds = [type(one).__name__ for one in every_kind().operations]
    assert ["User", "User", *kinds] == [
        line.strip().partition("(")[0] for line in begun
    ][: 2 + len(kinds)]


def pytest_of(path: Path, *others: Path) -> subprocess.CompletedProcess[str]:
    """The files, run by plain pytest in the folder of the first."""
    environment = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1"}
    options = ["-q", "-p", "no:cacheprovider", "-W", "ignore"]
    names = [path.name, *(other.name for other in others)]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, *names],
        cwd=path.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_an_exported_test_fails_until_the_engine_is_fixed(tmp_path: Path) -> None:
    """On the faulty engine it fails with the story, on the fixed one it passes."""
    path = tmp_path / "test_it.py"
    source = export_test(prefix_failure(), FAULTY)
    path.write_text(source)
    fixed = tmp_path / "test_fixed.py"
    fixed.write_text(source.replace(f'"{FAULTY}"', '"reference"'))

    done = pytest_of(path, fixed)

    assert 1 == done.returncode, done.stdout + done.stderr
    assert "ContextOwnershipViolated" in done.stdout
    assert f"Let {BOBS} be a value that only bob ever wrote." in done.stdout
    assert "However, the answer of alice's operation 5 showed it" in done.stdout
    assert "1 failed, 1 passed" in done.stdout
    assert "FAILED test_it.py" in done.stdout


# The call in the exported test


def test_a_violation_raises_the_error_of_its_claim() -> None:
    """The claim's own error carries the violation and tells the story."""
    with pytest.raises(StoredWritesViolated, match="However, ") as caught:
        assert_holds(
            erasing(),
            engine="reference+erase-by-thread",
            claim="stored-writes",
        )

    assert "stored-writes" == caught.value.violation.claim


def erasing() -> Scenario:
    """Alice erases her thread, and bob's of the same name goes, too."""
    return Scenario(
        users=PREFIX.users,
        operations=(*PREFIX.operations[:3], Erase(id=6, user=0, context="x")),
        schedule=Schedule(classes={"6/start": 3}),
    )


def test_what_was_not_put_to_the_test_fails() -> None:
    """Without evidence a claim does not hold."""
    empty = Scenario(users=PREFIX.users, operations=())

    with pytest.raises(AssertionError, match=r"not shown to hold .* inconclusive"):
        assert_holds(empty, engine="reference", claim="teardown")


def test_a_choice_without_a_place_passes_by_its_variations() -> None:
    """A mended engine may have other awaits than the scenario's choices name."""
    schedule = Schedule(classes={"2/no-such-kind": 1})

    assert_holds(heartbeat_scenario(schedule), engine="reference", claim="teardown")


def test_an_engine_can_be_handed_over() -> None:
    """A class of one's own does as well as a name."""
    adapter = find_engine("reference").make_adapter

    assert_holds(PREFIX, engine=adapter, claim="context-ownership")


def test_a_scenario_that_cannot_be_run_is_refused() -> None:
    """A scenario written by hand is checked before it is run."""
    wrong = Scenario(users=(), operations=(CleanupUser(id=1, user=0),))

    with pytest.raises(ValueError, match="names user 0 of 0"):
        assert_holds(wrong, engine="reference", claim="teardown")
