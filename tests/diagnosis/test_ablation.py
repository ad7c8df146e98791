"""A diagnosis is true: needed choices are needed, and the passing run passes."""

import functools

import msgspec
import pytest

from isolation_spec.claims import Judgement, Verdict, find_claim
from isolation_spec.claims.facts import CleanupFailed
from isolation_spec.contract.errors import AdapterError
from isolation_spec.diagnosis.ablation import diagnose
from isolation_spec.diagnosis.diagnosis import (
    ArrivalOrder,
    BurstChoice,
    CancellationChoice,
    Choice,
    ClassChoice,
    DemotionChoice,
    Diagnosis,
    Difference,
    SplitChoice,
)
from isolation_spec.diagnosis.wording import describe_difference
from isolation_spec.engines.reference.adapter import ReferenceAdapter
from isolation_spec.engines.registry import find_engine
from isolation_spec.execution.run import run
from isolation_spec.execution.solo_runs import judge_with_solos
from isolation_spec.model.history.history import History
from isolation_spec.model.scenario import (
    Cancellation,
    CancelRun,
    Connect,
    Demotion,
    Erase,
    OpenContext,
    Remember,
    RunAgent,
    Scenario,
    Schedule,
    Think,
    User,
    canary,
)
from tests.claims.facts import example, violation_of

USERS = (User(label="alice", id="alice"), User(label="bob", id="bob"))
replace = msgspec.structs.replace

THINK = (Think(prompt="hello"),)
BLOCKED = Scenario(
    users=USERS,
    operations=(
        OpenContext(id=1, user=0, context="x1", thread="t"),
        RunAgent(
            id=2,
            user=0,
            context="x1",
            script=THINK,
            cancel=Cancellation(step=1, after_step=True),
        ),
        OpenContext(id=3, user=1, context="x3", thread="t"),
        RunAgent(id=4, user=1, context="x3", script=THINK),
    ),
    # Chosen, and followed, but of no importance.
    schedule=Schedule(classes={"3/start": 1}),
)
REPLACED = Scenario(
    users=USERS,
    operations=(
        Connect(id=1, user=0, connection="c1"),
        Connect(id=2, user=0, connection="c2"),
        OpenContext(id=3, user=0, context="x3", thread="t"),
        OpenContext(id=4, user=1, context="x4", thread="t"),
        RunAgent(
            id=5,
            user=0,
            context="x3",
            script=(Remember(key="k", value=canary("alice", 5, 1)),),
        ),
        Erase(id=6, user=1, context="x4"),
        RunAgent(id=7, user=0, context="x3", script=()),
    ),
    schedule=Schedule(classes={"5/database": 4, "6/database": 4, "4/start": 1}),
)
THOUGHT = Scenario(
    users=USERS,
    operations=tuple(
        replace(operation, cancel=None) for operation in BLOCKED.operations
    ),
)
CASES = {
    "error-containment": ("line-blocked", BLOCKED),
    "event-routing": ("last-registration-wins", REPLACED),
    "noninterference": ("session-on-client", THOUGHT),
}
each_case = pytest.mark.parametrize("claim", CASES)


def judged(claim: str, scenario: Scenario) -> tuple[History, Judgement]:
    make_adapter = find_engine(f"reference+{CASES[claim][0]}").make_adapter
    history = run(scenario, make_adapter)
    return history, again(claim, history)


def again(claim: str, history: History) -> Judgement:
    make_adapter = find_engine(f"reference+{CASES[claim][0]}").make_adapter
    (judgement,) = judge_with_solos(history, make_adapter, (find_claim(claim),))
    return judgement


@functools.cache
def diagnosis_of(claim: str) -> Diagnosis:
    history, judgement = judged(claim, CASES[claim][1])
    make_adapter = find_engine(f"reference+{CASES[claim][0]}").make_adapter
    return diagnose(history, judgement.violations[0], make_adapter)


def without(scenario: Scenario, choice: Choice) -> Scenario:
    """The scenario without that choice, taken out by hand."""
    if isinstance(choice, CancellationChoice):
        operations = tuple(
            replace(one, cancel=None) if one.id == choice.operation else one
            for one in scenario.operations
        )
        return replace(scenario, operations=operations)
    assert isinstance(choice, ClassChoice)
    classes = dict(scenario.schedule.classes)
    del classes[choice.chain]
    return replace(scenario, schedule=replace(scenario.schedule, classes=classes))


def described(diagnosis: Diagnosis, difference: Difference) -> str:
    return describe_difference(diagnosis.history.scenario, difference)


@each_case
def test_what_is_needed_is_needed(claim: str) -> None:
    """Without a needed decision the claim holds; without another it fails as
    before."""
    scenario = CASES[claim][1]

    for decision in diagnosis_of(claim).choices:
        smaller = without(scenario, decision.choice)
        _, judgement = judged(claim, smaller)
        assert smaller != scenario
        assert decision.needed == (judgement.verdict is not Verdict.VIOLATED), decision


def test_what_is_needed_and_what_is_not_are_told_apart() -> None:
    """A cancellation that makes a run fail is needed, an idle choice beside it is
    not."""
    needed = {
        type(one.choice): one.needed
        for one in diagnosis_of("error-containment").choices
    }

    assert {CancellationChoice: True, ClassChoice: False} == needed


def test_a_decision_says_where_it_happened() -> None:
    """A cancellation names its user, its operation, its step and its place."""
    diagnosis = diagnosis_of("error-containment")
    words, _, place = described(diagnosis, diagnosis.choices[0].choice).partition(
        ", at "
    )

    assert "the cancellation of alice's operation 2 after its step 1" == words
    assert place.startswith("isolation_spec.engines.faults.reply_misrouting:")


@each_case
def test_the_neighbour_passes(claim: str) -> None:
    """In the run beside the failing one the claim is not violated."""
    neighbour = diagnosis_of(claim).passing_run

    assert neighbour is not None
    assert Verdict.VIOLATED is not again(claim, neighbour.history).verdict


@each_case
def test_the_neighbour_is_the_same_up_to_its_step(claim: str) -> None:
    """Before that step both runs observed the very same, and at it they part."""
    story = diagnosis_of(claim)
    assert story.passing_run is not None
    here, there = story.history.entries, story.passing_run.history.entries
    step = story.passing_run.step

    assert 0 < step
    assert here[:step] == there[:step]
    assert here[step : step + 1] != there[step : step + 1]


def test_the_neighbour_goes_without_a_needed_decision() -> None:
    """Where one is needed, the neighbour is the run without it."""
    story = diagnosis_of("event-routing")
    needed = [one.choice for one in story.choices if one.needed]

    assert story.passing_run is not None
    assert story.passing_run.without in needed


def test_where_nothing_is_needed_two_arrivals_are_swapped() -> None:
    """A race in plain order is diagnosed by the one swap of arrivals that ends it."""
    make_adapter = find_engine("reference+run-goes-on").make_adapter
    scenario = Scenario(
        users=USERS[:1],
        operations=(
            Connect(id=1, user=0, connection="c1"),
            OpenContext(id=2, user=0, context="x2", thread="t"),
            RunAgent(id=3, user=0, context="x2", script=(), background=True),
            CancelRun(id=4, user=0, run=3),
        ),
    )
    history = run(scenario, make_adapter)
    (judgement,) = judge_with_solos(
        history, make_adapter, (find_claim("event-lifecycle"),)
    )

    story = diagnose(history, judgement.violations[0], make_adapter)

    assert () == story.choices
    assert story.passing_run is not None
    assert sorted(history.order) == sorted(story.passing_run.history.order)
    assert isinstance(story.passing_run.without, ArrivalOrder)
    assert described(story, story.passing_run.without) == (
        "the start of alice's operation 3 coming before the start of alice's "
        "operation 4"
    )


def test_the_story_is_the_same_each_time() -> None:
    """Two stories of one violation are equal."""
    assert diagnosis_of.__wrapped__("event-routing") == diagnosis_of("event-routing")


# Without further runs


def test_what_was_found_live_is_not_run_again() -> None:
    """Without adapters there is a story, with untried choices."""
    history, judgement = judged("error-containment", BLOCKED)

    story = diagnose(history, judgement.violations[0], None)

    assert [(False, False)] * 2 == [(d.needed, d.tried) for d in story.choices]
    assert story.passing_run is None
    assert story.provenance


class Breaking(ReferenceAdapter):
    """An adapter that breaks its contract whenever it is made again."""

    def __init__(self) -> None:
        message = "no more"
        raise AdapterError(message)


def test_an_adapter_that_breaks_now_loses_no_story() -> None:
    """The violation is diagnosed all the same; no choice is claimed to be needed."""
    history, judgement = judged("error-containment", BLOCKED)

    story = diagnose(history, judgement.violations[0], Breaking)

    assert [(False, False)] * 2 == [(d.needed, d.tried) for d in story.choices]
    assert story.passing_run is None


def test_a_story_takes_a_few_dozen_runs_at_most() -> None:
    """However many decisions there are, the number of further runs is bounded."""
    made = 0
    make_adapter = find_engine("reference+line-blocked").make_adapter

    def counted() -> ReferenceAdapter:
        nonlocal made
        made += 1
        return make_adapter()  # type: ignore[return-value]

    demotions = tuple(
        Demotion(chain="4/call", consumed=0, rank=rank) for rank in range(200)
    )
    history, judgement = judged("error-containment", BLOCKED)
    crowded = replace(history, schedule=Schedule(demotions=demotions))

    story = diagnose(crowded, judgement.violations[0], counted)

    assert 201 == len(story.choices)
    assert made <= 100
    assert not story.choices[-1].tried


def test_every_kind_of_decision_is_told() -> None:
    """Classes, demotions, burst, split and cancellations are decisions, in words."""
    history, judgement = judged("error-containment", BLOCKED)
    schedule = Schedule(
        classes={"4/start": 1},
        demotions=(Demotion(chain="4/call", consumed=1, rank=0),),
        burst=2,
        split=True,
    )
    everything = replace(history, schedule=schedule)

    diagnosis = diagnose(everything, judgement.violations[0], None)

    assert [
        CancellationChoice,
        ClassChoice,
        DemotionChoice,
        BurstChoice,
        SplitChoice,
    ] == [type(one.choice) for one in diagnosis.choices]
    assert [
        "holding back the start of bob's operation 4",
        "holding back the answers of model and tools to bob's operation 4 after the "
        "first",
        "letting further arrivals in before ready callbacks run",
        "delivering adjacent data piece by piece",
    ] == [described(diagnosis, one.choice) for one in diagnosis.choices[1:]]


def test_a_violation_without_history_has_a_story() -> None:
    """Where nothing was observed, the provenance is empty."""
    history, _ = judged("error-containment", BLOCKED)
    violation = violation_of(example(CleanupFailed))

    story = diagnose(replace(history, entries=()), violation, None)

    assert () == story.provenance
