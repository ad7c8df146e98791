"""A headless Chromium, and the problems of a page in it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
Scheme = Literal["light", "dark"]


def find_chromium() -> str:
    """Returns the path of a Chromium; fails the test without one."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is not None:
        return found
    message = (
        f"none of {', '.join(NAMES)} is installed: install one (on Debian, "
        "apt-get install -y chromium), or leave out -m browser"
    )
    pytest.fail(message)


@contextmanager
def launched() -> Iterator[Browser]:
    """A browser with an empty profile, which makes no requests of its own."""
    path = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


class Shown:
    """A page in a window, with its errors and its requests.

    Attributes:
        complaints: errors and warnings of its console, and exceptions of its script.
        requests: every requested address, the page's own first.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))

    def problems(self) -> list[str]:
        """Describes each element that overlaps or is cut on this screen."""
        found: list[str] = self.page.evaluate(PROBLEMS)
        return found


@contextmanager
def shown(
    browser: Browser, file: Path, width: int, scheme: Scheme = "light"
) -> Iterator[Shown]:
    """The page of a file in a window of its own."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme
    )
    try:
        one = Shown(context.new_page())
        one.page.goto(file.as_uri())
        one.page.evaluate("document.fonts.ready")
        yield one
    finally:
        context.close()


PROBLEMS = """() => {
  const problems = [];
  const say = (element) =>
    `${element.tagName}.${element.getAttribute("class") ?? ""} ` +
    `"${element.textContent.trim().slice(0, 30)}"`;
  const box = (element) => element.getBoundingClientRect();
  const seen = (element) => box(element).width > 0 && box(element).height > 0;
  const overlap = (a, b, slack = 0.75) =>
    Math.min(a.right, b.right) - Math.max(a.left, b.left) > slack &&
    Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > slack;
  const apart = (elements, noun) => {
    const boxes = [...elements].filter(seen).map((one) => [one, box(one)])
      .sort((a, b) => a[1].top - b[1].top);
    boxes.forEach(([one, a], index) => {
      for (const [other, b] of boxes.slice(index + 1)) {
        if (b.top >= a.bottom) break;
        if (one.contains(other) || other.contains(one)) continue;
        if (overlap(a, b)) problems.push(`${noun} overlap: ${say(one)}, ${say(other)}`);
      }
    });
  };
  const wide = document.documentElement.scrollWidth;
  if (wide > innerWidth) problems.push(`the page is ${wide} px wide of ${innerWidth}`);

  // Boxes of one kind, and blocks one below the other.
  apart(document.querySelectorAll(".row, .gap"), "rows");
  apart(document.querySelectorAll(".tools button"), "buttons");
  apart(document.querySelectorAll(".lanes span"), "labels");
  apart(document.querySelectorAll("svg.drawing .mark:not(.strong), svg.drawing .cross"),
    "marks");
  apart(document.querySelectorAll("svg.drawing .bar-operation"), "bars");
  apart(document.querySelectorAll(".chart .disc"), "catches");
  apart(document.querySelectorAll(".figures li, .legend li"), "items");
  const blocks = "header > *, main > section > :not(.board), footer > *, dt, dd";
  apart(document.querySelectorAll(blocks), "blocks");

  // Text against the drawing, and text against text.
  for (const run of document.querySelectorAll(".run")) {
    const drawing = run.querySelector(".drawing");
    const texts = [...run.querySelectorAll(".step, .time")].filter(seen).map(box);
    if (!texts.length) continue;
    const steps = [...run.querySelectorAll(".step")].filter(seen).map(box);
    const left = Math.min(...steps.map((one) => one.left));
    const times = [...run.querySelectorAll(".time")].filter(seen).map(box);
    const right = Math.max(0, ...times.map((one) => one.right));
    const bottom = Math.max(...texts.map((one) => one.bottom));
    for (const shape of drawing.children) {
      const a = box(shape);
      if (a.right > left + 1) problems.push(`${say(shape)} lies on the words`);
      if (a.left < right - 1) problems.push(`${say(shape)} lies on the times`);
      if (a.bottom > bottom + 20) problems.push(`${say(shape)} lies below the steps`);
    }
  }
  const clipping = [...document.querySelectorAll("body *")].filter((element) =>
    ["hidden", "clip"].includes(getComputedStyle(element).overflowX)
  ).map((element) => [element, box(element)]);
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  while (walker.nextNode()) {
    const text = walker.currentNode;
    const parent = text.parentElement;
    if (!text.data.trim() || parent.closest("script, style, .skip")) continue;
    range.selectNodeContents(text);
    for (const one of range.getClientRects()) {
      if (!one.width) continue;
      if (one.left < -0.5 || one.right > innerWidth + 0.5) {
        problems.push(`cut at the side: ${say(parent)}`);
      }
      for (const [cut, edge] of clipping) {
        const over = one.right > edge.right + 0.5 || one.bottom > edge.bottom + 0.5;
        if (over && cut.contains(parent)) {
          problems.push(`clipped: ${say(parent)} by ${say(cut)}`);
        }
      }
    }
  }
  const texts = "button, td, th, li, dd, pre, p, h1";
  for (const element of document.querySelectorAll(texts)) {
    if (element.scrollWidth > element.clientWidth + 1 && element.clientWidth) {
      problems.push(`too narrow: ${say(element)}`);
    }
  }
  return [...new Set(problems)].slice(0, 20);
}"""
"""Looks at boxes, as a reader's eye would."""
