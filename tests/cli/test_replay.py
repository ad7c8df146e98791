"""`isolation-spec replay`: in a fresh process, with every outcome and every refusal."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import (
    FAULTY,
    assert_refused,
    isolation_spec,
    isolation_spec_process,
)
from tests.cli.conftest import Verified
from tests.in_process import Done


def replayed(verified: Verified, folder: Path, *options: str, **changes: Any) -> Done:
    """Replays the failure file with these fields changed."""
    data = {**json.loads(verified.failure.read_text()), **changes}
    path = folder / "changed.json"
    path.write_text(json.dumps(data))
    return isolation_spec("replay", path, *options, folder=folder)


def test_a_failure_is_reproduced(verified: Verified) -> None:
    """The command that the search printed shows the failure again, and exits with 1."""
    done = isolation_spec_process(
        "replay", verified.failure.relative_to(verified.folder), folder=verified.folder
    )

    assert (1, "") == (done.code, done.err)
    assert f"REPRODUCED: teardown on {FAULTY}" == done.out.splitlines()[0]
    assert "However, a task was still alive" in done.out
    assert "differs" not in done.out


@pytest.mark.parametrize("hash_seed", ["0", "1", "4711"])
def test_a_failure_is_reproduced_under_any_hash_seed(
    verified: Verified, hash_seed: str
) -> None:
    """The very same run is repeated under any hashes of strings."""
    done = isolation_spec_process(
        "replay",
        verified.failure,
        folder=verified.folder,
        PYTHONHASHSEED=hash_seed,
    )

    assert 1 == done.code
    assert "differs" not in done.out


def test_a_fixed_engine_is_fixed(verified: Verified, tmp_path: Path) -> None:
    """On the engine without the fault the claim holds, and the command exits with 0."""
    done = replayed(verified, tmp_path, "--engine", "reference")

    assert (0, "") == (done.code, done.err)
    assert "FIXED: teardown on reference" == done.out.splitlines()[0]


def test_a_choice_without_a_place_is_fixed(verified: Verified, tmp_path: Path) -> None:
    """A mended engine has other awaits: the screen says which variations spoke for
    it."""
    scenario = json.loads(verified.failure.read_text())["scenario"]
    scenario["schedule"]["classes"] = {"2/no-such-kind": 1}

    done = replayed(verified, tmp_path, "--engine", "reference", scenario=scenario)

    assert (0, "") == (done.code, done.err)
    assert "FIXED: teardown on reference" == done.out.splitlines()[0]
    assert "2/no-such-kind" in done.out
    assert "20 variations" in done.out


def test_a_claim_without_evidence_is_drift(verified: Verified, tmp_path: Path) -> None:
    """A run that differs from the saved one exits with 3 and reports the difference."""
    scenario = json.loads(verified.failure.read_text())["scenario"]
    scenario["operations"] = []

    done = replayed(verified, tmp_path, "--engine", "reference", scenario=scenario)

    assert (3, "") == (done.code, done.err)
    first = done.out.splitlines()[0]
    assert first.startswith("DRIFTED at step ")
    assert first.endswith(": teardown on reference")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "No such file"),
        (b"", "not JSON"),
        (b"{}", "format"),
        (b"\xff", "UTF-8"),
        (b"[" * 10_000, "nested"),
    ],
    ids=["missing", "empty", "no-format", "not-utf8", "deep"],
)
def test_another_file_is_refused(
    tmp_path: Path, content: bytes | None, why: str
) -> None:
    """A file that cannot be read as a failure is refused in one line."""
    path = tmp_path / "some.json"
    if content is not None:
        path.write_bytes(content)

    assert_refused(isolation_spec("replay", path, folder=tmp_path), why, str(path))


def test_an_engine_that_a_file_names_is_not_imported(
    verified: Verified, tmp_path: Path
) -> None:
    """A module named in a file is not imported; the error shows the option for it."""
    (tmp_path / "trap.py").write_text("open('sprung', 'w').close()\n")

    done = replayed(verified, tmp_path, engine="trap:factory")

    assert not (tmp_path / "sprung").exists()
    assert 2 == done.code
    assert "UNSUPPORTED" in done.out + done.err
    assert "--engine trap:factory" in done.out + done.err


def test_an_engine_that_the_user_names_is_imported(
    verified: Verified, tmp_path: Path
) -> None:
    """The user's own adapter, beside them, replays a file."""
    (tmp_path / "mine.py").write_text(
        "from isolation_spec.engines.reference import adapter\n"
        "factory = adapter.ReferenceAdapter\n"
    )

    done = replayed(verified, tmp_path, "--engine", "mine:factory")

    assert 0 == done.code, done
    assert done.out.startswith("FIXED: teardown on mine:factory")


@pytest.mark.parametrize("engine", ["gone", "reference+gone", "gone+x", "gone:x+y"])
def test_an_engine_that_is_not_there_is_unsupported(
    verified: Verified, tmp_path: Path, engine: str
) -> None:
    """An unregistered engine is UNSUPPORTED, exit 2, without a traceback."""
    done = replayed(verified, tmp_path, engine=engine)

    assert 2 == done.code
    assert "Traceback" not in done.err
    assert "UNSUPPORTED" in done.out + done.err


def test_a_scenario_beyond_the_capabilities_is_unsupported(
    verified: Verified, tmp_path: Path
) -> None:
    """An adapter that cannot do an operation of the scenario exits with 2."""
    (tmp_path / "less.py").write_text(
        "from isolation_spec.contract.adapter import Adapter\n"
        "from isolation_spec.engines.reference.adapter import ReferenceAdapter\n\n\n"
        "class factory(ReferenceAdapter):\n"
        "    capabilities = frozenset()\n"
        "    connect = Adapter.connect\n"
    )
    scenario = json.loads(verified.failure.read_text())["scenario"]
    scenario["operations"] = [
        {"operation": "connect", "id": 1, "user": 0, "connection": "c1"}
    ]

    done = replayed(verified, tmp_path, "--engine", "less:factory", scenario=scenario)

    assert 2 == done.code, done
    assert "Traceback" not in done.err
    assert "UNSUPPORTED" in done.out + done.err


def test_no_file_can_steer_the_terminal(verified: Verified, tmp_path: Path) -> None:
    """Control characters of a file are never written raw."""
    scenario = json.loads(verified.failure.read_text())["scenario"]
    scenario["users"][0] = {"label": "a\x1b]0;owned\x07", "id": "i"}
    scenario["operations"][0]["context"] = "x\x1b[2J"

    done = replayed(verified, tmp_path, scenario=scenario)

    assert "Traceback" not in done.err
    assert "\x1b" not in done.out + done.err
    assert "\x07" not in done.out + done.err


# Folders


def kept(verified: Verified, folder: Path, **named: dict[str, Any]) -> Path:
    """A folder of copies of the failure file, each with its fields changed."""
    folder.mkdir(exist_ok=True)
    for name, changes in named.items():
        data = {**json.loads(verified.failure.read_text()), **changes}
        (folder / f"{name.replace('__', '.')}.json").write_text(json.dumps(data))
    return folder


def test_a_folder_is_replayed_file_by_file(verified: Verified, tmp_path: Path) -> None:
    """Each file has a line, in order of names; the worst of all decides."""
    folder = kept(
        verified,
        tmp_path / "kept",
        a={},
        b={"engine": "reference"},
        c={"engine": "gone"},
        d__unconfirmed={},
    )
    (folder / "notes.txt").write_text("no failure file")

    done = isolation_spec("replay", folder, folder=tmp_path)

    lines = [line for line in done.out.splitlines() if not line.startswith(" ")]
    assert (1, "") == (done.code, done.err)
    assert [
        f"REPRODUCED   {folder / 'a.json'}",
        f"FIXED        {folder / 'b.json'}",
        f"UNSUPPORTED  {folder / 'c.json'}",
        "3 files: 1 REPRODUCED, 1 FIXED, 1 UNSUPPORTED",
    ] == lines


@pytest.mark.parametrize(
    ("code", "engines"),
    [
        (0, ["reference", "reference"]),
        (2, ["reference", "gone"]),
        (1, ["gone", FAULTY]),
    ],
)
def test_the_worst_of_a_folder_decides(
    verified: Verified, tmp_path: Path, code: int, engines: list[str]
) -> None:
    """REPRODUCED outranks UNSUPPORTED, which outranks FIXED."""
    named = {f"f{n}": {"engine": engine} for n, engine in enumerate(engines)}

    done = isolation_spec(
        "replay", kept(verified, tmp_path / "kept", **named), folder=tmp_path
    )

    assert code == done.code, done


def test_drift_in_a_folder_says_where(verified: Verified, tmp_path: Path) -> None:
    """A drifted file reports the step with the expected and the actual entry."""
    scenario = json.loads(verified.failure.read_text())["scenario"]
    scenario["operations"] = []
    changes = {"engine": "reference", "scenario": scenario}

    done = isolation_spec(
        "replay",
        kept(verified, tmp_path / "kept", a=changes, b={"engine": "reference"}),
        folder=tmp_path,
    )

    assert 3 == done.code
    assert "inconclusive" in done.out
    assert "at step " in done.out
    assert "(expected " in done.out


def test_an_unconfirmed_file_is_replayed_when_named(
    verified: Verified, tmp_path: Path
) -> None:
    """An unconfirmed file is left out of a folder, and replayed by its name."""
    folder = kept(verified, tmp_path / "kept", a__unconfirmed={})

    assert (
        1
        == isolation_spec("replay", folder / "a.unconfirmed.json", folder=tmp_path).code
    )
    assert_refused(isolation_spec("replay", folder, folder=tmp_path), "1 unconfirmed")


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    """An empty folder is an error."""
    assert_refused(
        isolation_spec("replay", tmp_path, folder=tmp_path), "holds no failure file"
    )


def test_a_bad_file_in_a_folder_does_not_hide_the_others(
    verified: Verified, tmp_path: Path
) -> None:
    """An unreadable file is refused with a reason; the others are replayed."""
    folder = kept(verified, tmp_path / "kept", b={"engine": "reference"})
    (folder / "a.json").write_text("{}")

    done = isolation_spec("replay", folder, folder=tmp_path)

    assert (2, "") == (done.code, done.err)
    assert "REFUSED" in done.out.splitlines()[0]
    assert "format" in done.out.splitlines()[1]
    assert "2 files: 1 REFUSED, 1 FIXED" == done.out.splitlines()[-1]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"version": 3}, "is of version 3"),
        ({"claim": "no-such-claim"}, "no-such-claim"),
    ],
    ids=["version", "claim"],
)
def test_a_version_or_claim_that_is_not_known_is_unsupported(
    verified: Verified, tmp_path: Path, changes: dict[str, Any], why: str
) -> None:
    """A file of a later release is UNSUPPORTED, exit 2, with the reason."""
    done = replayed(verified, tmp_path, **changes)

    assert (2, "") == (done.code, done.err)
    assert done.out.startswith("UNSUPPORTED: ")
    assert why in done.out
