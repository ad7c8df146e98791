"""The page of a whole run as text: every claim, every kind of operation, each catch."""

import re

import pytest

from isolation_spec.claims import CLAIMS
from isolation_spec.report.html import MOST_BYTES
from isolation_spec.report.run_folder import RunFolder
from isolation_spec.report.run_page import run_page
from tests.report.running import a_result, hostile_run_page, run_page_of
from tests.report.test_failure_page import Seen, digest


def test_each_claim_stands_with_verdict_and_evidence() -> None:
    """The table has each claim, its statement, and how it stands."""
    page = run_page_of()

    for claim in CLAIMS:
        assert f'<span class="name">{claim.id}</span>' in page
    assert '<td class="violated">violated</td>' in page
    assert '<td class="holds">holds</td>' in page


def test_operations_awaits_and_cancellations_are_counted() -> None:
    """The page shows operations, their await sites and their cancellations."""
    text = Seen(run_page_of())

    assert "run agent" in text.text("span")
    assert "returned " in text.text("span")
    assert "before its first step" in text.text("code")
    assert re.search(r"cancelled at \d+ of \d+ places", text.text("p"))


def test_what_was_never_performed_is_named() -> None:
    """A kind of operation that no scenario had is shown as a gap."""
    page = run_page(RunFolder(result=a_result()))

    assert "Never performed: connect, disconnect, reconnect" in page
    assert "never</td>" in page


def test_catches_stand_over_time() -> None:
    """Each catch has its line in the chart, its moment and the command for its page."""
    page = run_page_of()

    assert page.count('<line class="catch"') >= 1
    assert "found after" in page
    assert "isolation-spec report " in page
    assert "confirmed by two replays" in page


def test_a_run_without_events_says_so() -> None:
    """Without the times of the findings, the failures are still listed."""
    page = run_page(RunFolder(result=a_result()))

    assert "events.jsonl" in page
    assert "<code>isolation-spec report x</code>" in page
    assert "<polyline" not in page


@pytest.mark.parametrize("make", [run_page_of, hostile_run_page])
def test_the_page_may_load_and_run_nothing(make: object) -> None:
    """It has no script at all, and the policy allows its own style alone."""
    page = make()  # type: ignore[operator]
    seen = Seen(page)
    (policy,) = seen.all("meta", **{"http-equiv": "Content-Security-Policy"})

    assert [] == seen.all("script")
    assert (
        "default-src 'none'; base-uri 'none'; form-action 'none'; "
        f"style-src {digest(seen.text('style'))}; script-src 'none'"
    ) == policy["content"]


def test_a_page_is_never_large() -> None:
    """With many await sites, the page is bounded and counts its omissions."""
    page = run_page(RunFolder(result=a_result("y" * 400, places=20_000)))

    assert len(page.encode()) <= MOST_BYTES
    assert "further places are left out" in page
