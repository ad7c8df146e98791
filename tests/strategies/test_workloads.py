"""A seed draws the same workloads on any machine."""

import subprocess
import sys
from pathlib import Path

import hypothesis.core
import hypothesis.stateful
import pytest
from hypothesis.internal.conjecture import providers

from isolation_spec.strategies.profiles import find_profile
from isolation_spec.strategies.workloads import draw_workloads

DRAW = """
import sys
from hashlib import sha256

sys.path.insert(0, sys.argv[1])
import odd
from isolation_spec.strategies.profiles import find_profile
from isolation_spec.strategies.workloads import draw_workloads

digest = sha256()
for workload in draw_workloads(find_profile("quick"), seed=7, examples=12):
    digest.update(workload.scenario.to_json() + repr(workload.search[:]).encode())
print(digest.hexdigest())
"""


def digest_beside(folder: Path, constants: str) -> str:
    """The digest of twelve workloads, drawn beside a user's module of constants."""
    folder.mkdir()
    (folder / "odd.py").write_text(constants)
    done = subprocess.run(
        [sys.executable, "-c", DRAW, folder], capture_output=True, text=True, check=True
    )
    return done.stdout


def test_constants_of_a_user_change_no_workload(tmp_path: Path) -> None:
    """Literals in a user's modules are in no draw, though Hypothesis collects them."""
    numbers = ", ".join(map(str, (*range(16), *range(50, 150, 7))))
    many = f'N = [{numbers}]\nT = ["odd", "t1", b"\\x01\\x02\\x03\\x04", 301.5]\n'

    empty = digest_beside(tmp_path / "empty", "")

    assert empty == digest_beside(tmp_path / "many", many)


@pytest.mark.parametrize("name", ["_get_local_constants", "CONSTANTS_CACHE"])
def test_hypothesis_has_the_names_that_are_replaced(name: str) -> None:
    """Drawing replaces two private names, which another version may not have."""
    assert hasattr(providers, name)


def test_no_draw_digests_source_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """No database needs the digests, and they take 40% of the time of a draw."""

    def digest(_: object) -> bytes:
        raise AssertionError

    modules = hypothesis.core, hypothesis.stateful
    for module in modules:
        monkeypatch.setattr(module, "function_digest", digest)

    assert 1 == len(list(draw_workloads(find_profile("quick"), seed=0, examples=1)))
    assert [digest] * 2 == [vars(module)["function_digest"] for module in modules]


def test_drawing_leaves_the_constants_of_other_tests_alone() -> None:
    """Afterwards Hypothesis draws the literals of local modules as before."""
    before = providers._get_local_constants, providers.CONSTANTS_CACHE

    list(draw_workloads(find_profile("quick"), seed=0, examples=1))

    assert before == (providers._get_local_constants, providers.CONSTANTS_CACHE)
