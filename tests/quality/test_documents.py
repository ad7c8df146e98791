"""The documents for contributors speak of files that exist."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    ROOT / "ARCHITECTURE.md",
    ROOT / ".github" / "CONTRIBUTING.md",
    ROOT / ".github" / "SECURITY.md",
    ROOT / "tests" / "README.md",
    *(ROOT / "docs").rglob("*.md"),
]
NEW = {"run_results", "run-results"}
"""The example of the recipes: a claim that is still to be written."""
CODE = re.compile(r"`([\w./-]+(?:\.\w+|/))`")
LINK = re.compile(r"\]\(([^)#:]+)\)")
INSIDE = ("", "isolation_spec", "tests", "strategies", "isolation_spec/claims")
FAULTS = "isolation_spec/engines/faults"
SHRINK = "isolation_spec/diagnosis/shrink"


def paths_in(document: Path) -> Iterator[str]:
    """Paths in code spans, without examples and without names of Python."""
    for path in CODE.findall(document.read_text()):
        known = path.endswith((".py", ".md", ".txt", ".toml", ".json", ".yml", "/"))
        if known and not any(name in path for name in NEW):
            yield path


def is_there(path: str) -> bool:
    folders = (*INSIDE, FAULTS, SHRINK)
    return any((ROOT / folder / path).exists() for folder in folders)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_each_path_of_a_document_is_there(document: Path) -> None:
    """A path in a code span exists, from the root or from the package."""
    produced = {"result.json", "failures/", "*.hang.json"}

    missing = [path for path in paths_in(document) if not is_there(path)]

    assert [] == [path for path in missing if path not in produced]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_each_link_leads_somewhere(document: Path) -> None:
    """A relative link names a file or folder of the repository."""
    links = LINK.findall(document.read_text())

    assert [] == [link for link in links if not (document.parent / link).exists()]


def test_each_decision_is_listed() -> None:
    """The index of decisions has every record, by its number."""
    folder = ROOT / "docs" / "decisions"
    records = {path.name for path in folder.glob("[0-9]*.md")}

    assert records == set(LINK.findall((folder / "README.md").read_text()))


def test_the_architecture_names_every_room() -> None:
    """Each folder of the package stands in the table of rooms."""
    table = (ROOT / "ARCHITECTURE.md").read_text().partition("## Rooms")[2]
    package = ROOT / "isolation_spec"
    rooms = {path.parent.name for path in package.glob("*/__init__.py")}

    assert rooms == {name for name in rooms if f"`{name}/`" in table}
