"""`isolation-spec init`: from an empty folder to a verdict, one method at a time."""

import ast
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from isolation_spec.adapter_check.check import assert_adapter_works
from isolation_spec.contract.errors import AdapterError
from tests.cli.command import assert_refused, environment, isolation_spec
from tests.in_process import Done

ENGINE = '''
import asyncio


class Notebook:
    """A stranger's engine: it knows nothing of isolation-spec."""

    def __init__(self, model):
        self.model = model
        self.open = []

    def check(self, user, desk):
        if desk[0] != user or desk not in self.open:
            raise PermissionError(user)
'''
BODIES = {
    "start": """
        async def model(prompt):
            await environment.completion(prompt)
            return f"answer to {prompt}"

        self.engine = Notebook(model)
""",
    "open_context": """
        desk = [user, thread]
        self.engine.open.append(desk)
        return desk
""",
    "run_agent": """
        self.engine.check(user, context)
        return await agent.perform(MyServices(self.engine, context))
""",
    "identity": """
        return self.context[0]
""",
    "think": """
        return await self.engine.model(prompt)
""",
    "sleep": """
        await asyncio.sleep(seconds)
""",
    "read": """
        self.engine.check(user, context)
        return {"thread": context[1]}
""",
    "cleanup_context": """
        if context[0] != user:
            raise PermissionError(user)
        self.engine.open = [one for one in self.engine.open if one is not context]
""",
    "cleanup_user": """
        self.engine.open = [one for one in self.engine.open if one[0] != user]
""",
    "shutdown": """
        self.engine.open.clear()
""",
    "shared": """
        return [self.engine]
""",
}
"""The body of each method, in the order in which the check requires them."""
ADAPTER = "isolation_adapter.py"
NAME = "isolation_adapter:MyAdapter"


def written(text: str, method: str, body: str) -> str:
    """The text with that method filled in, as by hand."""
    hints = r"(?:        #[^\n]*\n)*        raise NotImplementedYet\n"
    pattern = rf'(def {method}\(.*?"""\n){hints}'
    found = re.search(pattern, text, re.DOTALL)
    assert found is not None, method
    return text[: found.start()] + found[1] + body.lstrip("\n") + text[found.end() :]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    done = isolation_spec("init", folder=tmp_path)

    assert (0, "") == (done.code, done.err)
    return tmp_path


@pytest.fixture
def filled(folder: Path) -> Path:
    path = folder / ADAPTER
    text = path.read_text() + ENGINE
    for method, body in BODIES.items():
        text = written(text, method, body)
    path.write_text(text)
    return folder


def own_tests(folder: Path) -> Done:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=folder,
        env={**environment(), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def test_two_files_are_written_and_the_next_commands_are_shown(tmp_path: Path) -> None:
    """The adapter and its test are there, and the next commands are shown."""
    done = isolation_spec("init", "sub/folder", folder=tmp_path)
    files = sorted(path.name for path in (tmp_path / "sub" / "folder").iterdir())

    assert (0, "") == (done.code, done.err)
    assert [ADAPTER, "test_isolation.py"] == files
    assert f"cd sub/folder && isolation-spec check-adapter {NAME}\n" in done.out


@pytest.mark.parametrize("name", [ADAPTER, "test_isolation.py"])
def test_nothing_is_overwritten(tmp_path: Path, name: str) -> None:
    """A file that is there is named, left as it is, and nothing is written beside."""
    (tmp_path / name).write_text("mine")

    assert_refused(isolation_spec("init", folder=tmp_path), name, "not overwritten")

    assert [name] == os.listdir(tmp_path)
    assert "mine" == (tmp_path / name).read_text()


WORKFLOWS = ["isolation-nightly.yml", "isolation-pull-request.yml"]


@pytest.mark.parametrize(
    ("options", "engine"),
    [
        ((), NAME),
        (("--engine", "mine.adapter:Mine"), "mine.adapter:Mine"),
        (("--engine", 'a"b: #c'), 'a"b: #c'),
    ],
)
def test_the_workflows_verify_the_engine_that_is_given(
    tmp_path: Path, options: tuple[str, ...], engine: str
) -> None:
    """`init --ci` writes the two workflows alone, and each names the engine."""
    done = isolation_spec("init", "sub", "--ci", *options, folder=tmp_path)
    folder = tmp_path / "sub" / ".github" / "workflows"
    read = [yaml.safe_load((folder / name).read_text()) for name in WORKFLOWS]

    assert (0, "") == (done.code, done.err)
    assert [".github"] == os.listdir(tmp_path / "sub")
    assert WORKFLOWS == sorted(os.listdir(folder))
    assert [engine] * 2 == [workflow["env"]["ENGINE"] for workflow in read]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_no_workflow_is_overwritten(tmp_path: Path, name: str) -> None:
    """An existing workflow is named and left alone, and the other is not written."""
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    (folder / name).write_text("mine")

    assert_refused(
        isolation_spec("init", "--ci", folder=tmp_path), name, "not overwritten"
    )

    assert [name] == os.listdir(folder)
    assert "mine" == (folder / name).read_text()


def test_an_engine_without_workflows_is_refused(tmp_path: Path) -> None:
    """`--engine` names the engine of the workflows, so it needs `--ci`."""
    done = isolation_spec("init", "--engine", NAME, folder=tmp_path)

    assert_refused(done, "--engine needs --ci")
    assert [] == os.listdir(tmp_path)


def test_where_nothing_can_be_written_is_refused(tmp_path: Path) -> None:
    """A folder below a file is refused in one line."""
    (tmp_path / "file").touch()

    assert_refused(isolation_spec("init", "file/below", folder=tmp_path), "file")


def test_the_skeleton_explains_each_method_to_write(folder: Path) -> None:
    """Each method to write has a docstring and an example in comments."""
    text = (folder / ADAPTER).read_text()
    unwritten = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and ast.unparse(node.body[-1]) == "raise NotImplementedYet"
    ]

    assert set(BODIES) == {node.name for node in unwritten}
    for node in unwritten:
        assert ast.get_docstring(node), node.name
        lines = text.splitlines()[node.body[0].lineno : node.body[-1].lineno]
        assert any(line.strip().startswith("# ") for line in lines), node.name


def test_the_test_fails_with_the_next_thing_to_write(folder: Path) -> None:
    """Both tests fail and name the first method to write."""
    done = own_tests(folder)

    assert 1 == done.code, done.out
    assert "MyAdapter.start is not written yet: Make your engine here" in done.out
    assert "2 failed" in done.out.splitlines()[-1]


def test_the_check_requires_one_method_after_the_other(folder: Path) -> None:
    """Each method in its turn, until nothing is left."""
    path = folder / ADAPTER
    text = path.read_text() + ENGINE
    required = []
    for method, body in BODIES.items():
        path.write_text(text)
        with pytest.raises(AdapterError) as caught:
            assert_adapter_works(runpy.run_path(str(path))["MyAdapter"])
        required.append(re.findall(r"\.(\w+) is not written yet", str(caught.value)))
        text = written(text, method, body)

    assert [[method] for method in BODIES] == required


def test_filled_in_its_test_passes(filled: Path) -> None:
    """A finished adapter's engine is verified, each claim by a test."""
    done = own_tests(filled)

    assert 0 == done.code, done.out + done.err
    # The adapter, four claims that apply, and that everything was reached.
    assert done.out.splitlines()[-1].startswith("6 passed in "), done.out


def test_the_check_of_a_finished_adapter_names_the_next_command(filled: Path) -> None:
    """Every required method works, and the output shows the command for a verdict."""
    done = isolation_spec("check-adapter", NAME, folder=filled)

    assert (0, "") == (done.code, done.err), done.out
    assert f"\nNow: isolation-spec verify {NAME}\n" in done.out


def test_a_verification_of_the_skeleton_names_the_first_method(folder: Path) -> None:
    """The whole verification is refused with the same sentence."""
    done = isolation_spec("verify", NAME, folder=folder)

    assert_refused(done, "MyAdapter.start is not written yet", "Make your engine here")
