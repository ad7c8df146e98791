"""Whole explanations, word for word, at 80 columns: one for each claim.

Each is told of a planted fault and a scenario as the shrinker leaves it. After a change
of wording, write them anew, read them as somebody who sees a red build for the first
time, and commit what you would like to read:

    RENEW_SCREENS=1 .venv/bin/python -m pytest tests/screens/test_explanations.py
"""

import os
import re
from pathlib import Path
from typing import NamedTuple

import pytest

from isolation_spec.claims import CLAIMS, Verdict, find_claim
from isolation_spec.diagnosis.ablation import diagnose
from isolation_spec.diagnosis.diagnosis import Diagnosis
from isolation_spec.diagnosis.explanation import explain
from isolation_spec.engines.faults import FAULTS
from isolation_spec.engines.registry import find_engine
from isolation_spec.execution.run import run
from isolation_spec.execution.solo_runs import judge_with_solos
from isolation_spec.model.scenario import (
    CallTool,
    Cancellation,
    CancelRun,
    CleanupEngine,
    Connect,
    Erase,
    OpenContext,
    Operation,
    Read,
    Remember,
    RunAgent,
    Scenario,
    Schedule,
    Think,
    User,
    canary,
)

SCREENS = Path(__file__).with_name("explanations")
ALICE, BOB = 0, 1
USERS = (User(label="alice", id="alice"), User(label="bob", id="bob"))


class Planted(NamedTuple):
    """A fault, and the operations and choices by which it shows."""

    fault: str
    operations: tuple[Operation, ...]
    schedule: Schedule = Schedule()

    def scenario(self) -> Scenario:
        """Only users who do something are in it."""
        users = {operation.user or ALICE for operation in self.operations}
        return Scenario(
            users=USERS[: max(users) + 1],
            operations=self.operations,
            schedule=self.schedule,
        )


def opened(number: int, user: int) -> OpenContext:
    return OpenContext(id=number, user=user, context=f"x{number}", thread="t")


PLANTED = {
    "context-ownership": Planted(
        "reply-to-next",
        (
            opened(1, ALICE),
            opened(2, BOB),
            RunAgent(
                id=3,
                user=BOB,
                context="x2",
                script=(Think(prompt=canary("bob", 3, 1)),),
                background=True,
            ),
            CleanupEngine(id=4, user=BOB, context="x2"),
            RunAgent(id=5, user=ALICE, context="x1", script=(Think(prompt="hello"),)),
        ),
        Schedule(classes={"5/start": 1}),
    ),
    "stored-writes": Planted(
        "thread-only",
        (
            opened(1, BOB),
            opened(2, ALICE),
            RunAgent(
                id=3,
                user=ALICE,
                context="x2",
                script=(Remember(key="k", value=canary("alice", 3, 1)),),
            ),
            Read(id=4, user=ALICE, context="x2"),
            Read(id=5, user=BOB, context="x1"),
        ),
        Schedule(classes={"1/start": 1, "3/database": 4, "5/database": 4}),
    ),
    "event-routing": Planted(
        "last-registration-wins",
        (
            Connect(id=1, user=ALICE, connection="c1"),
            Connect(id=2, user=ALICE, connection="c2"),
            opened(3, ALICE),
            opened(4, BOB),
            RunAgent(
                id=5,
                user=ALICE,
                context="x3",
                script=(Remember(key="k", value=canary("alice", 5, 1)),),
            ),
            Erase(id=6, user=BOB, context="x4"),
            RunAgent(id=7, user=ALICE, context="x3", script=()),
        ),
        Schedule(classes={"5/database": 4, "6/database": 4, "4/start": 1}),
    ),
    "event-lifecycle": Planted(
        "run-goes-on",
        (
            Connect(id=1, user=ALICE, connection="c1"),
            opened(2, ALICE),
            RunAgent(id=3, user=ALICE, context="x2", script=(), background=True),
            CancelRun(id=4, user=ALICE, run=3),
        ),
    ),
    "exact-limits": Planted(
        "counted-afterwards",
        (
            opened(1, ALICE),
            *(
                RunAgent(
                    id=number,
                    user=ALICE,
                    context="x1",
                    script=(Think(prompt="p"),),
                    background=True,
                )
                for number in (2, 3, 4, 5)
            ),
        ),
    ),
    "tool-isolation": Planted(
        "credential-cache",
        (
            opened(1, ALICE),
            RunAgent(
                id=2,
                user=ALICE,
                context="x1",
                script=(CallTool(tool="failing", argument=canary("alice", 2, 1)),),
            ),
            opened(3, BOB),
            RunAgent(
                id=4,
                user=BOB,
                context="x3",
                script=(CallTool(tool="slow", argument=canary("bob", 4, 1)),),
            ),
        ),
    ),
    "database-sessions": Planted(
        "one-session",
        (
            opened(1, ALICE),
            RunAgent(id=2, user=ALICE, context="x1", script=()),
            opened(3, BOB),
            RunAgent(id=4, user=BOB, context="x3", script=()),
        ),
    ),
    "error-containment": Planted(
        "line-blocked",
        (
            opened(1, ALICE),
            RunAgent(
                id=2,
                user=ALICE,
                context="x1",
                script=(Think(prompt="hello"),),
                cancel=Cancellation(step=1, after_step=True),
            ),
            opened(3, BOB),
            RunAgent(id=4, user=BOB, context="x3", script=(Think(prompt="hello"),)),
        ),
    ),
    "teardown": Planted("heartbeat-survives", (opened(1, ALICE),)),
    "noninterference": Planted(
        "session-on-client",
        (
            opened(1, ALICE),
            RunAgent(id=2, user=ALICE, context="x1", script=(Think(prompt="hello"),)),
            opened(3, BOB),
            RunAgent(
                id=4,
                user=BOB,
                context="x3",
                script=(Think(prompt=canary("bob", 4, 1)),),
            ),
        ),
    ),
}
"""Claim -> a fault that it catches, and how."""

each_claim = pytest.mark.parametrize("claim", PLANTED)


def told(claim: str, planted: Planted) -> Diagnosis:
    """The story of the first violation of the claim in the planted scenario."""
    make_adapter = find_engine(f"reference+{planted.fault}").make_adapter
    history = run(planted.scenario(), make_adapter)
    (judgement,) = judge_with_solos(history, make_adapter, (find_claim(claim),))
    assert Verdict.VIOLATED is judgement.verdict, judgement
    return diagnose(history, judgement.violations[0], make_adapter)


_PLACE = re.compile(r"(isolation_spec[\w.]+):\d+")


def screen(story: Diagnosis) -> str:
    """The lines; the number of a source line is no wording, and changes often."""
    text = "\n".join(explain(story).lines()) + "\n"
    return _PLACE.sub(r"\1:NN", text)


def test_each_claim_has_its_screen() -> None:
    """Every claim is explained below, and no screen is left of one that is gone."""
    claims = {claim.id for claim in CLAIMS}

    assert claims == set(PLANTED)
    assert claims == {path.stem for path in SCREENS.glob("*.txt")}


@each_claim
def test_the_fault_is_one_of_the_claim(claim: str) -> None:
    """What is shown for a claim is a fault that names it."""
    (fault,) = (one for one in FAULTS if one.id == PLANTED[claim].fault)

    assert claim in fault.claims


@each_claim
def test_an_explanation_is_this_screen(claim: str) -> None:
    """The whole explanation, as it is printed, is what somebody read and liked."""
    path = SCREENS / f"{claim}.txt"
    shown = screen(told(claim, PLANTED[claim]))
    if os.environ.get("RENEW_SCREENS"):
        path.write_text(shown, encoding="utf-8")

    assert path.read_text(encoding="utf-8") == shown


@each_claim
def test_a_screen_is_one_screen(claim: str) -> None:
    """It is at most 40 lines of 80 columns, without blanks at their ends."""
    lines = (SCREENS / f"{claim}.txt").read_text(encoding="utf-8").splitlines()

    assert len(lines) <= 40
    assert max(map(len, lines)) <= 80
    assert [] == [line for line in lines if line != line.rstrip()]
