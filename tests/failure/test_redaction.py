"""What an engine showed is not written down, unless it carries a canary."""

import functools
import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from isolation_spec.claims import CLAIMS, Violation, judge
from isolation_spec.engines.reference.adapter import ReferenceAdapter
from isolation_spec.engines.registry import find_engine
from isolation_spec.execution.run import run
from isolation_spec.execution.solo_runs import judge_with_solos
from isolation_spec.failure import load, make_failure, save
from isolation_spec.failure.redaction import REDACTED, redacted
from isolation_spec.model.history.entries import Entry
from isolation_spec.model.history.history import History
from isolation_spec.model.scenario import (
    Connect,
    OpenContext,
    Read,
    RunAgent,
    Scenario,
    Think,
    User,
    Write,
    canary,
)
from tests.failure.mutations import every_kind

SECRET = "password123"
BOBS = canary("bob", 4, 1)
TWO = Scenario(
    users=(User(label="alice", id="u1"), User(label="bob", id="u11")),
    operations=(
        Connect(id=1, user=0, connection="c1"),
        OpenContext(id=2, user=0, context="x", thread="t"),
        OpenContext(id=3, user=1, context="x", thread="t"),
        Write(id=4, user=1, context="x", key="k", value=BOBS),
        RunAgent(id=6, user=0, context="x", script=(Think(prompt="p"),)),
        Read(id=5, user=0, context="x"),
    ),
)


class Tells(ReferenceAdapter):
    """Shows everybody a password and bob's value, and fails with a password."""

    async def read(self, user: str, context: Any) -> Any:
        shown = dict(await super().read(user, context))
        return {**shown, SECRET: f"{SECRET} {BOBS}"}

    async def cleanup_user(self, user: str) -> None:
        raise RuntimeError(f"cannot log in with {SECRET}")


def written(adapter: type[ReferenceAdapter], scenario: Scenario, folder: Path) -> str:
    """All files of all violations of the scenario."""
    history = run(scenario, adapter)
    texts = []
    for judgement in judge_with_solos(history, adapter):
        for violation in judgement.violations:
            failure = make_failure("reference", history, violation, confirmed=True)
            path = save(failure, folder)
            assert load(path) == failure
            texts.append(path.read_text())
    return "\n".join(texts)


def test_a_password_does_not_land_in_the_file_and_a_canary_does(tmp_path: Path) -> None:
    """An engine shows and raises a password; of all that, files hold the canary."""
    text = written(Tells, TWO, tmp_path)

    assert SECRET not in text
    assert BOBS in re.findall(r'"let": \[\s*"(\S+) be a value', text)
    assert "cleanup_user raised RuntimeError: [redacted]" in text.replace(
        "[redacted] RuntimeError", "cleanup_user raised RuntimeError"
    )


def poisoned(entry: Entry) -> Entry:
    """The entry with a password in all that an engine may say."""
    changes: dict[str, Any] = {}
    for name in ("value", "error", "seen", "message", "argument", "key", "thread"):
        text = getattr(entry, name, "")
        if isinstance(text, str) and text:
            changes[name] = f"{text} {SECRET} '{SECRET}'"
    for name in ("identity", "owner"):
        if getattr(entry, name, None) is not None:
            changes[name] = SECRET
    if (text := getattr(entry, "text", "")) and text.startswith("{"):
        fields = json.loads(text)
        changes["text"] = json.dumps(
            {**fields, "type": SECRET, "user_id": SECRET, "run_id": fields["run_id"]}
        )
    return msgspec.structs.replace(entry, **changes)


@functools.cache
def violations() -> tuple[tuple[History, Violation], ...]:
    """What claims say of histories in which everything observed holds a password."""
    found = []
    faults = ("prefix-match", "tools-to-all", "failure-escapes", "shared-conversation")
    for engine in ("reference", *(f"reference+{fault}" for fault in faults)):
        adapter = find_engine(engine).make_adapter
        for scenario in (every_kind(), TWO):
            history = run(scenario, adapter)
            entries = tuple(map(poisoned, history.entries))
            bad = msgspec.structs.replace(history, entries=entries)
            clean = msgspec.structs.replace(history, entries=history.entries)
            solos = dict.fromkeys(range(len(scenario.users)), (clean,))
            for judgement in judge(bad, adapter().capabilities, CLAIMS, solos=solos):
                found += [(bad, violation) for violation in judgement.violations]
    return tuple(found)


def test_many_claims_repeat_what_was_observed() -> None:
    """The next test is about something: several claims would have told the password."""
    telling = {
        violation.claim
        for _, violation in violations()
        if SECRET in f"{violation.let} {violation.then} {violation.however}"
    }

    assert len(telling) >= 5, telling


def test_no_claim_tells_what_was_observed() -> None:
    """Whatever claim is violated, its file holds nothing that the engine said."""
    for history, violation in violations():
        failure = make_failure("reference", history, violation, confirmed=True)

        assert SECRET not in msgspec.json.encode(failure).decode(), violation


def fact(text: str, *shown: str) -> str:
    """One fact of a violation, as it is written down."""
    violation = Violation(
        claim="teardown",
        clause="c",
        let=(),
        then="",
        however=text,
        entry=0,
        shown=shown,
    )
    return redacted(violation, TWO).however


@pytest.mark.parametrize(
    ("text", "shown", "expected"),
    [
        ("it failed: no", ("no",), f"it failed: {REDACTED}"),
        ("no, it is not", ("no",), f"{REDACTED}, it is not"),
        (f"saw {BOBS}", (BOBS,), f"saw {BOBS}"),
        (f"saw a {BOBS} b", (f"a {BOBS} b",), f"saw {REDACTED} {BOBS} {REDACTED}"),
        (f"saw x{BOBS}", (f"x{BOBS}",), f"saw {REDACTED}"),
        ("saw bob~4.1~00000000", ("bob~4.1~00000000",), f"saw {REDACTED}"),
        ("it was 'u11'", ("u11",), "it was 'u11'"),
        ("it was 'u111'", ("u111",), f"it was '{REDACTED}'"),
        ("it was 'a\\nb'", ("a\nb",), f"it was '{REDACTED}'"),
        ("a b c d", ("a b c d",), REDACTED),
        ("TimeoutError after 7", ("TimeoutError after 7",), f"TimeoutError {REDACTED}"),
        ("\\1 and \\g<0>", ("\\1", "\\g<0>"), f"{REDACTED} and {REDACTED}>"),
        ("nothing shown", (), "nothing shown"),
    ],
)
def test_what_stays_and_what_goes(
    text: str, shown: tuple[str, ...], expected: str
) -> None:
    """Canaries, the scenario's own strings and classes of exceptions stay."""
    assert expected == fact(text, *shown)


def test_facts_are_bounded() -> None:
    """An engine that shows a megabyte does not make a file that cannot be loaded."""
    assert len(fact(f"it said: {'x ' * 10**6}")) < 3000
