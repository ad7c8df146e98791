"""The identities that are drawn are those that engines confuse."""

import itertools
import re
import unicodedata

import pytest

from isolation_spec.model.scenario import CANARY, OpenContext, canary
from isolation_spec.strategies.identifiers import FAMILIES, LABELS
from tests.strategies.drawn import draw


def lists() -> list[list[str]]:
    """The identities of each scenario."""
    return [[user.id for user in drawn.scenario.users] for drawn in draw(examples=400)]


def pairs() -> list[tuple[str, str]]:
    """Each two identities that meet in one scenario."""
    return [pair for ids in lists() for pair in itertools.permutations(ids, 2)]


def threads() -> set[str]:
    """The threads of all scenarios."""
    return {
        thread
        for drawn in draw(examples=400)
        for operation in drawn.scenario.operations
        if (thread := operation.thread) is not None
    }


def test_identities_of_one_scenario_differ() -> None:
    """Two users never have one identity."""
    assert all(len(set(ids)) == len(ids) for ids in lists())


def test_some_identity_is_a_prefix_of_another() -> None:
    """Prefix pairs meet in one scenario."""
    assert any(long != short and long.startswith(short) for long, short in pairs())


def test_some_identities_differ_in_case_alone() -> None:
    """Case pairs meet in one scenario."""
    assert any(a != b and a.lower() == b.lower() for a, b in pairs())


@pytest.mark.parametrize("separator", [":", "/", ".", "_", "%"])
def test_separators_and_wildcards_occur(separator: str) -> None:
    """Separators of keys and wildcards of SQL stand in identities."""
    assert any(separator in name for ids in lists() for name in ids)


@pytest.mark.parametrize("wildcard", ["_", "%"])
def test_some_identity_matches_another_as_a_pattern(wildcard: str) -> None:
    """An identity with a wildcard meets one that it matches."""

    def pattern(name: str) -> str:
        return re.escape(name).replace("_", ".").replace("%", ".*")

    assert any(
        wildcard in a and re.fullmatch(pattern(a), b, re.IGNORECASE) for a, b in pairs()
    )


def all_owners() -> list[list[tuple[str, str]]]:
    """(user, thread) of all contexts of each scenario."""
    return [
        sorted(
            {
                (drawn.scenario.users[o.user].id, o.thread)
                for o in drawn.scenario.operations
                if isinstance(o, OpenContext)
            }
        )
        for drawn in draw(examples=400)
    ]


@pytest.mark.parametrize("separator", ["", *"/.:|#_%-,"])
def test_joined_owners_are_ambiguous(separator: str) -> None:
    """Owners of some family give one text, user and thread joined in this way."""
    joints = {family.joint for kind in FAMILIES.values() for family in kind}

    assert separator in joints


def test_ambiguous_owners_meet() -> None:
    """Owners that a separator makes equal are in one scenario now and then."""
    meet = sum(
        any(
            a != b and f"{a[0]}{s}{a[1]}" == f"{b[0]}{s}{b[1]}"
            for a, b in itertools.combinations(owners, 2)
            for s in ("", *"/.:|#_%-,")
        )
        for owners in all_owners()
    )

    assert len(draw(examples=400)) / 50 <= meet


def test_some_identities_are_one_number() -> None:
    """Ids that are numbers in one place and texts in another meet."""

    def number(name: str) -> float | str:
        try:
            return float(name)
        except ValueError:
            return name

    assert any(number(a) == number(b) for a, b in pairs())


def test_some_identities_are_one_when_normalised() -> None:
    """Ids of the same letters, composed and decomposed, meet in more than a few."""
    alike = [
        unicodedata.normalize("NFC", a) == unicodedata.normalize("NFC", b)
        for a, b in pairs()
    ]

    assert len(alike) / 100 <= sum(alike)


def test_plain_identities_occur() -> None:
    """Most engines confuse nothing, so plain names are drawn as well."""
    assert any(all(name.isalpha() for name in ids) for ids in lists())


def test_users_meet_on_a_thread() -> None:
    """Two users of one scenario use the same thread id; threads prefix each other."""
    names = threads()

    assert any(
        len({o.user for o in drawn.scenario.operations if o.thread == t}) > 1
        for drawn in draw(examples=400)
        for t in names
    )
    assert any(a != b and a.startswith(b) for a, b in itertools.permutations(names, 2))


@pytest.mark.parametrize("label", LABELS)
def test_every_label_can_stand_in_a_canary(label: str) -> None:
    """A canary yields the label that it carries."""
    match = CANARY.fullmatch(canary(label, 12, 3))

    assert match is not None
    assert label == match.group(1)
