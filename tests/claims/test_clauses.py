"""The specification tests itself: each clause of each claim matters.

A clause is listed with its claim. Its mutants are the claim without the clause, and
the claim with the clause turned round. The tests of the claim must catch both, each
time that they are run: a clause that could go unnoticed is a defect.
"""

import ast
import contextlib
import fnmatch
import io
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from isolation_spec import claims
from isolation_spec.claims import CLAIMS, Claim
from isolation_spec.claims import claim as claim_module
from isolation_spec.claims.claim import Opportunity, Violation
from isolation_spec.claims.facts import RecordedText
from isolation_spec.engines.faults import FAULTS

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).parent
CLAUSES = [(claim, clause) for claim in CLAIMS for clause in claim.clauses]

Found = Iterable[Opportunity | Violation]


def module_of(claim: Claim) -> str:
    """The module that is named after the claim."""
    return claim.id.replace("-", "_")


def removed(clause: str, found: Found) -> Iterator[Opportunity | Violation]:
    """The claim without the clause."""
    return (one for one in found if not is_of(clause, one))


def negated(clause: str, found: Found) -> Iterator[Opportunity | Violation]:
    """The claim that asks for the clause to be broken."""
    for one in found:
        if is_of(clause, one):
            yield Opportunity()
        elif isinstance(one, Opportunity):
            fact = RecordedText(let=(), then="", however="")
            yield Violation(claim="", clause=clause, fact=fact, entry=0)
        else:
            yield one


def is_of(clause: str, one: Opportunity | Violation) -> bool:
    return isinstance(one, Violation) and fnmatch.fnmatchcase(one.clause, clause)


def is_caught(claim: Claim, clause: str, mutant: Callable[[str, Found], Found]) -> bool:
    """Runs the tests of the claim with its mutant in its place."""
    original = claim_module._count

    def count(found: Found) -> tuple[int, tuple[Violation, ...]]:
        return original(mutant(clause, found))

    file = FOLDER / f"test_{module_of(claim)}.py"
    claim_module._count = count
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            code = pytest.main(["-x", "-q", "-p", "no:cacheprovider", str(file)])
    finally:
        claim_module._count = original
    assert code in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
    return code == pytest.ExitCode.TESTS_FAILED


@pytest.mark.parametrize(
    ("claim", "clause"), CLAUSES, ids=[f"{c.id}-{clause}" for c, clause in CLAUSES]
)
def test_a_clause_matters(claim: Claim, clause: str) -> None:
    """The tests of a claim fail without the clause, and with it turned round."""
    assert is_caught(claim, clause, removed)
    assert is_caught(claim, clause, negated)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_a_claim_that_is_whole_passes_its_tests(claim: Claim) -> None:
    """The tests that catch the mutants pass with the claim itself."""
    assert not is_caught(claim, "", lambda _, found: found)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_every_clause_is_listed(claim: Claim) -> None:
    """Each name that a claim's module gives to a violation stands in its list."""
    path = Path(claims.__path__[0]) / f"{module_of(claim)}.py"

    named = set(clauses_in(ast.parse(path.read_text())))

    assert set(claim.clauses) == named


def clauses_in(tree: ast.AST) -> Iterator[str]:
    """The names of clauses: of keyword arguments, of assignments, of calls of the
    module's own `_violation`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "clause":
            yield from names_in(node.value)
        elif isinstance(node, ast.Assign):
            yield from assigned(node)
        elif isinstance(node, ast.Call) and "_violation" == getattr(
            node.func, "id", ""
        ):
            yield from (name for one in node.args[:2] for name in names_in(one))


def assigned(node: ast.Assign) -> Iterator[str]:
    (target,) = node.targets
    if isinstance(target, ast.Name) and "clause" == target.id:
        yield from names_in(node.value)
    elif isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
        for name, value in zip(target.elts, node.value.elts, strict=True):
            if isinstance(name, ast.Name) and "clause" == name.id:
                yield from names_in(value)


def names_in(node: ast.expr) -> Iterator[str]:
    match node:
        case ast.Constant(value=str(name)):
            yield name
        case ast.IfExp():
            yield from names_in(node.body)
            yield from names_in(node.orelse)
        case ast.JoinedStr(values=[ast.Constant(value=str(head)), *_]):
            yield f"{head}*"


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_a_claim_has_a_fault_of_its_own(claim: Claim) -> None:
    """Some planted fault names this claim and no other."""
    assert any({claim.id} == fault.claims for fault in FAULTS)
