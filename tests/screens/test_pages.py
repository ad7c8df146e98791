"""Both pages in a real browser: at three widths, in light and dark, by keyboard.

They need a Chromium, and fail where there is none; so they are run on demand alone, by
`pytest -m browser`.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FloatRect

from tests.report.failing import hostile_page, long_page, page_of
from tests.report.running import hostile_run_page, run_page_of
from tests.screens import browser as browsers
from tests.screens.browser import Scheme, Shown, shown

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PAGES: dict[str, Callable[[], str]] = {
    "two": lambda: page_of(2),
    "six": lambda: page_of(6),
    "hostile": hostile_page,
    "long": long_page,
    "run": lambda: run_page_of(),
    "hostile-run": lambda: hostile_run_page(),
}
WIDTHS = (360, 800, 1600)

CONTRASTS = """() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (text) => {
    const [r, g, b] = parse(text).map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor;
      if ((parse(colour)[3] ?? 1) > 0) return light(colour);
    }
  };
  const found = {};
  const all = "p, span, dt, dd, th, td, b, button, code, pre, h1, h2, h3, li";
  for (const element of document.querySelectorAll(all)) {
    if (!element.textContent.trim() || !element.offsetWidth) continue;
    const ink = light(getComputedStyle(element).color), paper = ground(element);
    const contrast = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
    if (contrast < 4.5) found[`${element.tagName}.${element.className}`] = contrast;
  }
  return found;
}"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    found = {}
    for name, make in PAGES.items():
        found[name] = folder / f"{name}.html"
        found[name].write_text(make(), encoding="utf-8")
    return found


@pytest.fixture(scope="module")
def browser(files: dict[str, Path]) -> Iterator[Browser]:
    # The pages come first: beside the browser's loop no scenario can be run.
    assert files
    with browsers.launched() as one:
        yield one


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_nothing_overlaps_and_nothing_is_cut(
    browser: Browser, files: dict[str, Path], name: str, width: int
) -> None:
    """On no screen does anything lie on anything else, or end at an edge; nothing is
    fetched and nothing goes wrong."""
    with shown(browser, files[name], width) as one:
        assert [] == one.problems()
        assert [] == one.complaints
        assert [files[name].as_uri()] == one.requests


@pytest.mark.parametrize("width", [360, 1600])
@pytest.mark.parametrize("name", ["two", "six"])
def test_the_key_steps_and_the_passing_run_do_not_overlap_either(
    browser: Browser, files: dict[str, Path], name: str, width: int
) -> None:
    """The views behind the buttons are as orderly as the first one."""
    with shown(browser, files[name], width) as one:
        one.page.click("#key")
        assert [] == one.problems()
        passing = one.page.locator("[data-show=passing]")
        if passing.count():
            passing.click()
            assert [] == one.problems()
        assert [] == one.complaints


PLANTED = {
    "labels overlap": "document.querySelectorAll('.lanes span')[1].style.left = "
    "document.querySelectorAll('.lanes span')[0].style.left",
    "rows overlap": "document.querySelectorAll('.row')[3].style.marginTop = '-15px'",
    "lies on": "document.querySelector('.run').style.setProperty('--graph', '40px')",
    "px wide": "document.querySelector('pre').style.width = '3000px'",
    "cut at the side": "document.querySelector('h1').style.marginLeft = '-60px'",
    "clipped": "Object.assign(document.querySelector('.step').style, "
    "{overflow: 'hidden', height: '12px', minHeight: 0})",
    "marks overlap": "[...document.querySelectorAll('.mark')][4].setAttribute("
    "'transform', [...document.querySelectorAll('.mark')].slice(5, 6).map((b) => {"
    "const a = document.querySelectorAll('.mark')[4].getBoundingClientRect();"
    "const c = b.getBoundingClientRect();"
    "return `translate(${c.x - a.x} ${c.y - a.y})`})[0])",
}


@pytest.mark.parametrize("problem", PLANTED)
def test_a_planted_problem_is_seen(
    browser: Browser, files: dict[str, Path], problem: str
) -> None:
    """The check of boxes is not blind: it reports each kind of planted problem."""
    with shown(browser, files["two"], 800) as one:
        one.page.evaluate(PLANTED[problem])

        assert [found for found in one.problems() if problem in found]


def test_a_request_and_a_complaint_are_seen(
    browser: Browser, files: dict[str, Path]
) -> None:
    """The policy stops requests and scripts, and the test notices."""
    with shown(browser, files["two"], 800) as one:
        one.page.evaluate(
            "document.body.append(Object.assign(new Image(), {src: 'x.png'}));"
            "document.body.append(Object.assign(document.createElement('script'), "
            "{textContent: 'window.hacked = 1'}))"
        )

        assert 2 == len([c for c in one.complaints if "Content Security Policy" in c])
        assert one.page.evaluate("window.hacked === undefined")
        with pytest.raises(Exception, match="Failed to fetch"):
            one.page.evaluate("fetch('http://127.0.0.1:9/')")


@pytest.mark.parametrize("name", ["hostile", "hostile-run"])
def test_hostile_texts_do_no_harm(
    browser: Browser, files: dict[str, Path], name: str
) -> None:
    """No text of a file becomes a script, an element or a direction of reading."""
    with shown(browser, files[name], 800) as one:
        assert one.page.evaluate("window.hacked === undefined")
        assert 0 == one.page.locator("img").count()
        assert "window.hacked=1" in one.page.inner_text("body")
        assert "\u202e" not in one.page.inner_text("body")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["two", "six", "run"])
def test_text_is_legible_in_light_and_in_dark(
    browser: Browser, files: dict[str, Path], name: str, scheme: Scheme
) -> None:
    """The page takes the reader's scheme, and every text stands out by 4.5 to 1."""
    with shown(browser, files[name], 1600, scheme) as one:
        ground = one.page.evaluate("getComputedStyle(document.body).backgroundColor")

        assert ("rgb(255, 255, 255)" == ground) is (scheme == "light")
        assert {} == one.page.evaluate(CONTRASTS)


# Stepping


def test_it_opens_at_the_failing_step(browser: Browser, files: dict[str, Path]) -> None:
    """The page opens at the violation and its reason."""
    with shown(browser, files["two"], 1600) as one:
        assert 1 == one.page.locator(".fails[aria-current=step]").count()
        assert "However, " in one.page.inner_text("#detail")


@pytest.mark.parametrize("width", WIDTHS)
def test_arrow_keys_step_through_entries(
    browser: Browser, files: dict[str, Path], width: int
) -> None:
    """Each key goes one step, shows its detail, and keeps it on the screen."""
    with shown(browser, files["two"], width) as one:
        page = one.page
        page.keyboard.press("Home")
        rows = page.locator(".run:not([hidden]) .row")
        for index, key in enumerate(
            ["Home", *["ArrowDown"] * 8, "ArrowUp", "ArrowRight", "ArrowLeft"]
        ):
            page.keyboard.press(key)
            row = rows.nth([*range(9), 7, 8, 7][index])
            assert "step" == row.get_attribute("aria-current")
            assert 1 == page.locator("[aria-current]").count()
            who = row.locator(".who")
            if who.count():
                assert who.inner_text() in page.inner_text("#detail")
            box = row.bounding_box()
            assert box is not None
            assert 0 <= box["y"] <= 900
        assert page.evaluate("document.activeElement.matches('[aria-current] .step')")
        page.keyboard.press("End")
        assert page.locator("#next").is_disabled()
        assert page.evaluate("scrollY") > 0
        assert [] == one.complaints


def box_of(one: Shown, where: str) -> FloatRect:
    box = one.page.locator(where).bounding_box()
    assert box is not None
    return box


def test_the_current_step_is_never_hidden(
    browser: Browser, files: dict[str, Path]
) -> None:
    """Neither the head nor the panel of details covers the chosen step."""
    with shown(browser, files["two"], 360) as one:
        for key in ["End", "ArrowUp", *["ArrowDown", "Home"] * 2, *["ArrowDown"] * 8]:
            one.page.keyboard.press(key)
            here = box_of(one, "[aria-current]")
            head, panel = box_of(one, ".head"), box_of(one, "#panel")
            assert here["y"] >= head["y"] + head["height"] - 1
            assert here["y"] + 20 <= panel["y"]


def test_the_passing_run_is_a_switch(browser: Browser, files: dict[str, Path]) -> None:
    """The passing run takes the failing one's place and opens where they part."""
    with shown(browser, files["two"], 1600) as one:
        page = one.page
        page.click("[data-show=passing]")

        assert page.locator(".run[data-run=failing]").is_hidden()
        assert page.locator(".run[data-run=passing]").is_visible()
        assert "true" == page.get_attribute("[data-show=passing]", "aria-pressed")
        assert "differs from here on" in page.inner_text(
            ".run:not([hidden]) [aria-current]"
        )
        assert page.locator("#without").is_visible()
        assert 0 == page.locator(".run[data-run=passing] .however").count()

        page.click("[data-show=failing]")

        assert "fails" in (
            page.locator(".run:not([hidden]) [aria-current]").get_attribute("class")
            or ""
        )


def test_a_key_step_is_never_skipped_into_nothing(
    browser: Browser, files: dict[str, Path]
) -> None:
    """With key steps alone, arrows go from one that is shown to the next."""
    with shown(browser, files["six"], 800) as one:
        page = one.page
        page.click("#key")
        page.keyboard.press("Home")
        for _ in range(10):
            page.keyboard.press("ArrowDown")
            assert page.locator("[aria-current]").is_visible()


def test_a_click_chooses_a_step(browser: Browser, files: dict[str, Path]) -> None:
    """A step that is clicked is the current one."""
    with shown(browser, files["two"], 800) as one:
        one.page.locator(".row .step").nth(4).click()

        assert "step" == one.page.locator(".row").nth(4).get_attribute("aria-current")


def test_it_can_be_used_with_a_screen_reader(
    browser: Browser, files: dict[str, Path]
) -> None:
    """Landmarks, one heading at the top, lists and buttons with names, and a live
    detail; the drawing is hidden, as all that it shows stands in the steps."""
    with shown(browser, files["two"], 800) as one:
        page = one.page
        for role in ("banner", "main", "contentinfo"):
            assert 1 == page.get_by_role(role).count(), role
        assert 1 == page.get_by_role("heading", level=1).count()
        steps = page.get_by_role("list", name="Steps of the failing run")
        assert steps.get_by_role("listitem").count() > 40
        for name in ("Previous step", "Next step", "Failing step", "Key steps"):
            assert 1 == page.get_by_role("button", name=name).count(), name
        assert 1 == page.get_by_role("complementary", name="The current step").count()
        assert "polite" == page.get_attribute("#detail", "aria-live")
        assert 0 == page.locator("svg:not([aria-hidden])").count()
        assert 1 == page.locator(".step[tabindex='0']:visible").count()


def test_without_its_script_the_steps_can_be_read(
    browser: Browser, files: dict[str, Path]
) -> None:
    """Where no script may run, the list of steps and the scenario are still there."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(files["two"].as_uri())

    assert "However, " in page.inner_text(".fails")
    assert "connect c0" in page.inner_text("pre")
    context.close()
