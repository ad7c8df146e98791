"""The timeline page as text: its size, its policy, its structure and its escapes.

How it looks and answers in a browser stands in `tests/screens/test_pages.py`.
"""

import json
import re
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from html.parser import HTMLParser

import msgspec
import pytest

from isolation_spec.diagnosis.wording import describe_violation
from isolation_spec.execution.run import run
from isolation_spec.failure import replay
from isolation_spec.report.failure_page import failure_page
from isolation_spec.report.html import MOST_BYTES
from tests.report.failing import (
    HOSTILE,
    NAMES,
    hostile_page,
    long_page,
    make_adapter,
    page_of,
    replayed_page,
    sample,
)

pytestmark = pytest.mark.slow

PAGES: dict[str, Callable[[], str]] = {
    "two": lambda: page_of(2),
    "six": lambda: page_of(6),
    "hostile": hostile_page,
    "long": long_page,
}
LOADING = ("src", "href", "action", "data", "poster", "srcset", "style")


class Seen(HTMLParser):
    """Everything that a browser would see in a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert tag == self._open.pop(), f"{tag} is closed and another one open"

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self._open[-1] if self._open else "", []).append(data)

    def all(self, tag: str, **wanted: str) -> list[dict[str, str | None]]:
        return [
            attributes
            for name, attributes in self.elements
            if name == tag and wanted.items() <= attributes.items()
        ]

    def text(self, tag: str) -> str:
        return "".join(self.texts.get(tag, ()))


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return PAGES[name]()


def digest(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def test_a_page_is_never_large(page: str) -> None:
    """No page is larger than 500 kB, even of the longest run."""
    assert len(page.encode()) <= MOST_BYTES == 500_000


def test_a_page_may_load_nothing(page: str) -> None:
    """The policy forbids everything but the very style and the very script in it."""
    seen = Seen(page)
    (policy,) = seen.all("meta", **{"http-equiv": "Content-Security-Policy"})
    style = digest(seen.text("style"))
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)

    assert (
        "default-src 'none'; base-uri 'none'; form-action 'none'; "
        f"style-src {style}; script-src {digest(script)}"
    ) == policy["content"]


def test_a_page_asks_for_nothing(page: str) -> None:
    """No element loads a resource, links to another page or runs the data."""
    for tag, attributes in Seen(page).elements:
        found = {k: v for k, v in attributes.items() if k in LOADING or k[:2] == "on"}
        found.pop("href", None) if attributes.get("href") == "#timeline" else None

        assert {} == found, tag


def test_the_only_elements_are_the_template_s_own(page: str) -> None:
    """No text on a page becomes an element of it."""
    seen = Seen(page)

    assert 2 == len(seen.all("script"))
    assert [] == seen.all("img")
    assert "\x00" not in page
    assert "\x1b" not in page
    assert not set("\u202e\u2066\u200f\u2028") & set(page)


def test_what_the_script_draws_is_json(page: str) -> None:
    """The data of the drawing is JSON in which no markup stands."""
    (text,) = re.findall(r'id="data">(.*?)</script>', page, re.DOTALL)

    assert not set("<>&") & set(text)
    assert "failing" in json.loads(text)


def test_a_hostile_text_is_shown() -> None:
    """Escaped characters still appear, as text."""
    words = Seen(hostile_page()).text("span")

    assert "</script><script>window.hacked=1</script>" in words
    assert r"\x1b[2J" in words
    assert r"\u202e" in words
    assert 2 == words[: words.index(r"\u0301")][-2:].count("\u0301")
    assert HOSTILE not in words


def test_a_page_has_a_lane_for_each_user_and_the_world() -> None:
    """The lanes are the users', in their order, and the world's."""
    data = re.findall(r'id="data">(.*?)</script>', page_of(6), re.DOTALL)

    lanes = json.loads(data[0])["failing"]["lanes"]

    assert [*NAMES, "world"] == [lane["label"] for lane in lanes]


def test_a_page_says_what_is_contradicted() -> None:
    """The claim, its statement and the contradiction stand on the page."""
    violation = sample().violation
    text = Seen(page_of()).text("dd") + Seen(page_of()).text("span")

    assert "context-ownership" in Seen(page_of()).text("h1")
    users = sample().history.scenario.users
    assert describe_violation(violation, users).however in text
    assert 1 == len(re.findall(r'class="however"', page_of()))


def test_the_scenario_stands_as_text() -> None:
    """Below the drawing the scenario can be read, and copied."""
    text = Seen(page_of()).text("pre")

    for operation in sample().history.scenario.operations:
        assert f"\n{operation.id:>3}  " in f"\n{text}"


def test_each_step_has_its_row_and_detail() -> None:
    """Steps are buttons in an ordered list, each with a detail for the reader."""
    seen = Seen(page_of())

    rows = [row for row in seen.all("li") if "row" in (row.get("class") or "").split()]
    assert (
        len(rows) == len(seen.all("template")) == len(seen.all("button", tabindex="-1"))
    )
    assert len(rows) > 40


def test_what_an_engine_gave_is_shown_only_when_asked_for() -> None:
    """Without a canary in it, a value of the engine's is left out, and counted."""
    one = sample()
    shown = replayed_page(one, values=True)

    assert "duration 0.0" in shown
    assert "duration 0.0" not in page_of()
    assert "characters that the engine gave" in page_of()
    assert "characters that the engine gave" not in shown


def test_awaits_are_told_and_drawn() -> None:
    """Where operations waited in the engine stands in the details and the drawing."""
    (text,) = re.findall(r'id="data">(.*?)</script>', page_of(), re.DOTALL)

    ticks = json.loads(text)["failing"]["ticks"]

    assert len(ticks) > 10
    assert {"isolation_spec"} == {tick["place"].partition(".")[0] for tick in ticks} - {
        "before its first step"
    }
    assert ticks[0]["place"] in Seen(page_of()).text("dd")


def test_what_is_cut_is_said() -> None:
    """A run that is too long is shown around its failing step, and the page says so."""
    page = long_page()
    seen = Seen(page)

    assert "The run has 20,000 entries" in seen.text("p")
    assert "The scenario has 10,0" in seen.text("p")
    assert "entries are left out here" in seen.text("li")
    assert 1 == len(re.findall(r'class="however"', page))
    assert 2 == len(re.findall(r"<dt class=\"strong\">hop</dt>", page))


def test_a_page_without_a_violation_says_so() -> None:
    """On a mended engine, the page shows the run of that engine and says FIXED."""
    one = sample()
    replayed = replay(one.failure, make_adapter)
    healthy = run(one.failure.scenario, make_adapter)

    page = failure_page(one.failure, healthy, None, outcome="FIXED", note=replayed.note)

    assert "not violated" in Seen(page).text("span")
    assert "the claim is not violated: FIXED" in Seen(page).text("p")
    assert 'class="however"' not in page
    assert "fails" not in {c for e in Seen(page).all("li") for c in str(e).split()}


def test_a_page_is_the_same_twice() -> None:
    """Nothing in a page depends on when or where it was made."""
    one = sample()
    pages = [replayed_page(one) for _ in range(2)]

    assert pages[0] == pages[1]


def test_a_violation_that_no_entry_shows_harms_no_page() -> None:
    """A file may name any entry; the page is made all the same."""
    one = sample()
    failure = msgspec.structs.replace(
        one.failure, violation=msgspec.structs.replace(one.violation, entry=10**9)
    )

    assert "</html>" in failure_page(failure, one.history, None)
