"""Text of an engine is not written down, unless it carries a canary."""

import functools
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from isolation_spec.claims import CLAIMS, Violation, judge
from isolation_spec.claims.facts import ExceptionNotHandled, Fact, Shown, texts_in
from isolation_spec.engines.reference.adapter import ReferenceAdapter
from isolation_spec.engines.registry import find_engine
from isolation_spec.execution.run import run
from isolation_spec.execution.solo_runs import judge_with_solos
from isolation_spec.failure import load, make_failure, save
from isolation_spec.failure.redaction import REDACTED, redact
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
from tests.claims.facts import KINDS, example, has_shown, violation_of
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
    assert f'"value": "{BOBS}"' in text
    assert f'"text": "{REDACTED} RuntimeError: {REDACTED}"' in text


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
    """The violations of histories in which every observation holds a password."""
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


@pytest.mark.slow
def test_many_claims_repeat_what_was_observed() -> None:
    """The next test is about something: several facts hold the password."""
    telling = {
        violation.claim
        for _, violation in violations()
        if any(SECRET in text for text in texts_in(violation.fact))
    }

    assert len(telling) >= 5, telling


def test_no_claim_tells_what_was_observed() -> None:
    """The file of any violation holds no text of the engine."""
    for history, violation in violations():
        failure = make_failure("reference", history, violation, confirmed=True)

        assert SECRET not in msgspec.json.encode(failure).decode(), violation


def redacted(text: str) -> str:
    """The text of an engine, as it is written down."""
    violation = Violation(
        claim="teardown",
        clause="unhandled",
        fact=ExceptionNotHandled(message=Shown(text)),
        entry=0,
    )
    fact = redact(violation, TWO).fact
    assert isinstance(fact, ExceptionNotHandled)
    return fact.message.text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no", REDACTED),
        ("no: no", REDACTED),
        (BOBS, BOBS),
        (f"a {BOBS} b", f"{REDACTED} {BOBS} {REDACTED}"),
        (f"x{BOBS}", REDACTED),
        ("bob~4.1~00000000", REDACTED),
        ("u11", "u11"),
        ("run-6", "run-6"),
        ("u111", REDACTED),
        ("a\nb", REDACTED),
        ("a b c d", REDACTED),
        ("TimeoutError after 7", f"TimeoutError {REDACTED}"),
        ("\\1", REDACTED),
        ("", ""),
    ],
)
def test_what_stays_and_what_goes(text: str, expected: str) -> None:
    """Canaries, the scenario's own strings and classes of exceptions stay."""
    assert expected == redacted(text)


def test_facts_are_bounded() -> None:
    """An engine that shows a megabyte does not make a file that cannot be loaded."""
    assert len(redacted("x " * 10**6)) < 3000
    assert len(redacted(f"{BOBS} " * 10**5)) < 3000


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_no_field_of_a_fact_is_forgotten(kind: type[Fact]) -> None:
    """A password in any field that an engine may fill does not land in a file."""
    before = violation_of(example(kind, shown=SECRET))

    after = msgspec.json.encode(redact(before, TWO)).decode()

    assert has_shown(kind) == (SECRET in msgspec.json.encode(before).decode())
    assert has_shown(kind) == (REDACTED in after)
    assert SECRET not in after
