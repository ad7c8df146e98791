"""Projects that the plugin tests, and one search for all sessions on one engine."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from isolation_spec.plugin.shared_search import Searched, search_engine
from tests.plugin.session import (
    GREEN,
    Session,
    make_project,
    session,
    three_lines,
)


@pytest.fixture(scope="session", autouse=True)
def one_search() -> Iterator[None]:
    """Searches an engine once for all sessions inside this process.

    A session is about the report of a search; the search itself is the same each time.
    Failure files are saved once, so that a violated engine is searched in each folder.
    """
    known: dict[tuple[object, ...], Searched] = {}

    def search_once(engine: Any, **options: Any) -> Searched:
        key = engine.name, options["where"], options["profile"]
        for one in (key, (*key, options["folder"])):
            if one in known:
                return known[one]
        searched = search_engine(engine, **options)
        known[(*key, options["folder"]) if searched.found else key] = searched
        return searched

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("isolation_spec.plugin.claim_tests.search_engine", search_once)
        yield


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project without tests."""
    return make_project(tmp_path)


@pytest.fixture(scope="session")
def green(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """A session with a test case of the correct notebook."""
    folder = make_project(tmp_path_factory.mktemp("green"))
    (folder / "test_engine.py").write_text(three_lines("TestMine", GREEN))
    return session(folder, "-v")
