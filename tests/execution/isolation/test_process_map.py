"""Results are computed in several processes at once."""

import os

import pytest

from isolation_spec.contract.errors import AdapterError
from isolation_spec.execution.isolation.process_map import map_in_processes


def test_results_are_computed_in_several_processes() -> None:
    """Each item has its result, computed in one of so many other processes."""

    def compute(number: int) -> tuple[int, int]:
        return number * number, os.getpid()

    results = dict(
        map_in_processes(compute, range(5), tuple[int, int], jobs=2, name="a square")
    )

    assert {n: n * n for n in range(5)} == {n: v for n, (v, _) in results.items()}
    assert 2 == len({process for _, process in results.values()} - {os.getpid()})


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "a quotient broke off: ZeroDivisionError"), (-1, "its process died")],
)
def test_a_result_that_cannot_be_computed_is_an_error(number: int, text: str) -> None:
    """An exception, or the end of a process, ends the computation with its reason."""

    def compute(number: int) -> int:
        return os._exit(3) if number < 0 else 1 // number

    with pytest.raises(AdapterError, match=text):
        list(map_in_processes(compute, [1, number], int, jobs=2, name="a quotient"))
