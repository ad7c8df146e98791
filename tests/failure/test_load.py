"""Loading gives an equal failure, or refuses in one sentence, at a bounded cost."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from isolation_spec.failure import Failure, save
from tests.failure.failures import (
    as_data,
    changed,
    heartbeat_failure,
    refusal,
    refusal_of,
)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(b"", "not JSON", id="empty"),
        pytest.param(b"hello", "not JSON", id="not-json"),
        pytest.param(b"[]", "format", id="a-list"),
        pytest.param(b"null", "format", id="null"),
        pytest.param(b"{}", "format", id="no-format"),
        pytest.param(b'{"format": ["x"]}', "format", id="format-no-string"),
        pytest.param(b"\xff\xfe{}", "byte 0 is not UTF-8", id="not-utf8"),
        pytest.param(b'{"a": "\xc3', "byte 7 is not UTF-8", id="cut-character"),
        pytest.param(b"\xef\xbb\xbf{}", "BOM", id="byte-order-mark"),
        pytest.param(b"[" * 10_000, "nested deeper", id="deep-open"),
        pytest.param(b"[" * 10_000 + b"]" * 10_000, "nested deeper", id="deep"),
        pytest.param(b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "nested", id="deep-map"),
        pytest.param(b'{"a": 1, "a": 1}', "'a' stands twice", id="duplicate-keys"),
        pytest.param(b'{"a": NaN}', "near 'NaN}'", id="nan"),
        pytest.param(b'{"a": -Infinity}', "near 'Infinity}'", id="infinity"),
        pytest.param(b'{"a": ' + b"9" * 5000 + b"}", "digits", id="long-number"),
        pytest.param(b"[" + b"[]," * 340_000 + b"[]]", "65536 commas", id="many-lists"),
        pytest.param(b" " * (1024 * 1024 + 1), "larger than", id="one-byte-too-many"),
    ],
)
def test_something_else_is_refused(tmp_path: Path, content: bytes, why: str) -> None:
    """Anything but the JSON of a failure is refused in one sentence."""
    assert why in refusal_of(tmp_path, content)


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    """A failure file cut off anywhere is refused."""
    whole = save(heartbeat_failure(), tmp_path).read_bytes().rstrip()

    reasons = {refusal_of(tmp_path, whole[:n]) for n in range(0, len(whole), 50)}

    assert all("not JSON at line" in reason for reason in reasons)


def test_duplicate_keys_are_found_quickly(tmp_path: Path) -> None:
    """Looking for the key that stands twice takes no longer than reading the file."""
    keys = ",".join(f'"k{n}":0' for n in range(40_000))

    assert "stands twice" in refusal_of(tmp_path, f'{{{keys},"k39999":0}}'.encode())


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    """Three gigabytes are refused at the cost of one megabyte."""
    path = tmp_path / "huge.json"
    path.touch()
    os.truncate(path, 3 * 1024**3)

    assert "larger than 1048576 bytes" in refusal(path)


def test_an_endless_file_is_not_read(tmp_path: Path) -> None:
    """A device without an end is refused like a file that is too large."""
    path = tmp_path / "endless.json"
    path.symlink_to("/dev/zero")

    assert "not a regular file" in refusal(path)


def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    """A named pipe without a writer is refused; a read of it would wait for ever."""
    path = tmp_path / "pipe.json"
    os.mkfifo(path)
    script = (
        "import sys, pathlib\n"
        "from isolation_spec.failure import BadFailureFile, load\n"
        "try:\n"
        "    load(pathlib.Path(sys.argv[1]))\n"
        "except BadFailureFile as error:\n"
        "    print(error)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script, str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert str(path) in done.stdout


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """A file that is not there is refused, and says so."""
    assert "No such file" in refusal(tmp_path / "missing.json")


def test_a_directory_is_refused(tmp_path: Path) -> None:
    """A directory is refused, and says so."""
    assert "directory" in refusal(tmp_path)


def test_an_unreadable_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that may not be read is refused, and says so."""
    path = save(heartbeat_failure(), tmp_path)
    path.chmod(0)
    if os.access(path, os.R_OK):
        # The superuser may read everything, so the system's answer is given by hand.
        def denied(*_: object, **__: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "open", denied)

    assert "Permission denied" in refusal(path)


def test_a_future_version_is_refused_with_what_to_do(tmp_path: Path) -> None:
    """A file of a later version says that a later isolation-spec reads it."""
    text = refusal_of(tmp_path, {**as_data(), "version": 3, "future": True})

    assert "is of version 3" in text
    assert "newer one" in text


@pytest.mark.parametrize("version", [0, -1, True, 1.5, "1", None, [1]])
def test_no_version_is_refused(tmp_path: Path, version: object) -> None:
    """A version is a number from 1 on."""
    assert "version" in refusal_of(tmp_path, {**as_data(), "version": version})


def test_another_format_is_refused(tmp_path: Path) -> None:
    """A JSON file of another program is refused by its format."""
    assert '"format"' in refusal_of(tmp_path, {**as_data(), "format": "har"})


@pytest.mark.parametrize("field", sorted(Failure.__struct_fields__))
def test_every_field_is_needed_and_typed(tmp_path: Path, field: str) -> None:
    """A file without one of the fields, or with one of another type, is refused."""
    data = as_data()
    missing = {name: value for name, value in data.items() if name != field}

    assert field in refusal_of(tmp_path, missing)
    assert field in refusal_of(tmp_path, {**data, field: {"odd": [1]}})


@pytest.mark.parametrize("field", ["more", "a\nb", "\ud800", "x" * 100_000])
def test_unknown_fields_are_refused(tmp_path: Path, field: str) -> None:
    """A field that failure files do not have is refused under any name."""
    text = refusal_of(tmp_path, {**as_data(), field: 1})

    assert len(text) < 1000


def operations(*found: dict[str, Any]) -> Any:
    data = as_data()
    data["scenario"]["operations"] = list(found)
    return data


GARBAGE = {"operation": "collect_garbage"}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param(
            operations({"operation": "launch", "id": 1}), "'launch'", id="operation"
        ),
        pytest.param(
            operations({"operation": "lau\nnch", "id": 1}), "operation", id="newline"
        ),
        pytest.param(
            operations({**GARBAGE, "id": 1, "what": 2}), "what", id="field-inside"
        ),
        pytest.param(
            operations({**GARBAGE, "id": 1}, {**GARBAGE, "id": 1}), "unique", id="ids"
        ),
        pytest.param(
            operations({"operation": "cleanup_user", "id": 1, "user": 1}),
            "names user 1 of 1",
            id="user",
        ),
        pytest.param(
            operations({"operation": "cleanup_user", "id": 1, "user": -1}),
            ">= 0",
            id="negative-user",
        ),
        pytest.param(
            operations(*({**GARBAGE, "id": n} for n in range(10_001))),
            "more than 10000 operations",
            id="operations",
        ),
    ],
)
def test_other_scenarios_are_refused(tmp_path: Path, data: Any, why: str) -> None:
    """A scenario that could not be run is refused before anything of it is."""
    assert why in refusal_of(tmp_path, data)


def test_a_number_that_is_infinite_is_refused(tmp_path: Path) -> None:
    """A number too large for a float is no duration."""
    data = operations({"operation": "advance_time", "id": 1, "seconds": 77.5})

    assert refusal_of(tmp_path, json.dumps(data).replace("77.5", "1e999").encode())


@pytest.mark.parametrize("place", ["engine", "label", "id", "digest"])
def test_half_a_character_is_refused(tmp_path: Path, place: str) -> None:
    """A lone surrogate is no text, as it could be neither printed nor saved again."""
    data = as_data()
    where = data if place in data else data["scenario"]["users"][0]
    where[place] = "\ud800"

    assert refusal_of(tmp_path, data)


def test_too_many_users_are_refused(tmp_path: Path) -> None:
    """A scenario of more users than allowed is refused."""
    data = as_data()
    data["scenario"]["users"] = [
        {"label": f"user{n}", "id": f"user{n}"} for n in range(65)
    ]

    assert "more than 64 users" in refusal_of(tmp_path, data)


def test_an_unknown_claim_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    """A claim that this version does not make is refused; the known ones are listed."""
    text = refusal_of(tmp_path, {**as_data(), "claim": "x" * 5000})

    assert "context-ownership" in text
    assert "teardown" in text
    assert len(text) < 1000


AUDIT = """
import sys, pathlib
from isolation_spec.failure import BadFailureFile, load
path = pathlib.Path(sys.argv[1])
seen = []
sys.addaudithook(lambda event, arguments: seen.append((event, arguments)))
try:
    load(path)
    outcome = "loaded"
except BadFailureFile:
    outcome = "refused"
for event, arguments in tuple(seen):
    print(event, arguments[0] if arguments else "")
print(outcome)
"""


@pytest.mark.parametrize("engine", ["os:system", "trap:factory"])
def test_loading_opens_the_file_and_does_nothing_else(
    tmp_path: Path, engine: str
) -> None:
    """Nothing that a file names is imported, opened, compiled or executed."""
    (tmp_path / "trap.py").write_text("raise SystemExit('imported')\n")
    path = save(changed(engine=engine), tmp_path)

    done = subprocess.run(
        [sys.executable, "-c", AUDIT, str(path)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=True,
        timeout=300,
    )

    assert f"open {path}\nloaded\n" == done.stdout
