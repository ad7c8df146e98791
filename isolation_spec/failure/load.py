"""How a failure file is loaded: bounded before it is decoded, checked before it is
believed.

Loading opens the file and does nothing else. The cost of a file is known before any
of it is decoded: its size, the number of its values, the depth of their nesting and the
digits of its numbers are bounded on the bytes themselves.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

import msgspec

from isolation_spec.claims import CLAIMS
from isolation_spec.failure.file import Failure
from isolation_spec.failure.version_1 import upgrade
from isolation_spec.model.scenario import MOST_OPERATIONS, MOST_USERS

__all__ = ["BadFailureFile", "UnsupportedFailure", "load"]

FORMAT = "isolation-spec-failure"
VERSION = 2
MOST_BYTES = 1024 * 1024
MOST_DEPTH = 32
MOST_VALUES = 65_536
MOST_DIGITS = 30
_LONGEST = 300
_LARGE = 256 * 1024


# The annotations of the types are evaluated here, once, so that no load does that: each
# opens its file and nothing else, the first one, too.
_DECODER = msgspec.json.Decoder(Failure)


class BadFailureFile(Exception):
    """A file cannot be read as a failure file; the text says why, and where."""


class UnsupportedFailure(BadFailureFile):
    """It is a failure file, of a version or a claim that this release does not
    know."""


def load(path: Path) -> Failure:
    """The failure in a file.

    Raises:
        UnsupportedFailure: it is of a version, or names a claim, that is not known.
        BadFailureFile: the file is missing, too large, not JSON, or not of the form of
            a failure.
    """
    data = _parse(path, _read(path))
    _check_head(path, data)
    for problem in _counts(data.get("scenario")):
        raise _bad(path, problem)
    try:
        if data["version"] == 1:
            data = upgrade(data)
        failure = msgspec.convert(data, Failure)
    except msgspec.ValidationError as error:
        raise _bad(path, f"{error}") from None
    _check_claim(path, failure)
    for problem in _problems(failure):
        raise _bad(path, problem)
    return failure


def _said(path: Path, problem: str) -> str:
    said = "".join(c if c.isprintable() else repr(c)[1:-1] for c in problem)
    if len(said) > _LONGEST:
        said = f"{said[:_LONGEST]}..."
    return f"{path} is not a failure file: {said}"


def _bad(path: Path, problem: str) -> BadFailureFile:
    return BadFailureFile(_said(path, problem))


def _read(path: Path) -> bytes:
    try:
        # Anything but a file, a named pipe for example, might be waited for for ever.
        if not path.is_dir() and path.exists() and not path.is_file():
            raise _bad(path, "it is not a regular file")
        with path.open("rb") as file:
            # One byte more than may be: a file of any size costs no more than that.
            data = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        message = f"{path} cannot be read: {reason}"
        raise BadFailureFile(message) from None
    if len(data) > MOST_BYTES:
        raise _bad(path, f"it is larger than {MOST_BYTES} bytes")
    return data


# Bytes


def _parse(path: Path, data: bytes) -> Any:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _bad(path, f"byte {error.start} is not UTF-8") from None
    if data.startswith(codecs.BOM_UTF8):
        raise _bad(path, "it begins with a byte order mark (BOM)")
    structure = _outside_strings(path, data)
    for problem in _excesses(structure):
        raise _bad(path, problem)
    try:
        decoded = msgspec.json.decode(data)
    except msgspec.MsgspecError as error:
        raise _bad(path, _not_json(data, str(error))) from None
    if structure.count(b":") != _keys(decoded):
        raise _bad(path, _twice(data))
    return decoded


def _outside_strings(path: Path, data: bytes) -> bytes:
    """Returns the bytes outside of strings, if the data is JSON."""
    plain = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    if plain.count(b'"') > 4 * MOST_VALUES:
        raise _bad(path, f"it holds more than {MOST_VALUES} values")
    return b"".join(plain.split(b'"')[::2])


_NESTING = bytes.maketrans(b"[]{}", b"\x01\xff\x01\xff")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_DIGITS = bytes.maketrans(b"123456789", b"000000000")


def _excesses(structure: bytes) -> Iterator[str]:
    """Yields each excess; everything is counted in C."""
    if sum(map(structure.count, (b",", b"[", b"{", b"]", b"}"))) > MOST_VALUES:
        yield f"it holds more than {MOST_VALUES} commas and brackets"
        return
    brackets = structure.translate(_NESTING, _NO_BRACKETS)
    if max(accumulate(memoryview(brackets).cast("b")), default=0) > MOST_DEPTH:
        yield f"it is nested deeper than {MOST_DEPTH}"
    if b"0" * (MOST_DIGITS + 1) in structure.translate(_DIGITS):
        yield f"a number has more than {MOST_DIGITS} digits"


_PLACE = re.compile(r"(?:JSON is malformed: )?(.*?)(?: \(byte (\d+)\))?")


def _not_json(data: bytes, error: str) -> str:
    """Returns the problem and its place, with lines and columns counted from 1."""
    match = _PLACE.fullmatch(error)
    said, byte = match.groups() if match else (error, None)
    at = len(data) if byte is None else int(byte)
    before = data[:at].decode(errors="replace")
    near = data[at : at + 10].decode(errors="replace")
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    where = f"not JSON at line {line} column {column}: {said}"
    return f"{where} near {near!r}" if near else where


def _keys(data: Any) -> int:
    """How many keys are left where the last of equal ones wins."""
    if isinstance(data, dict):
        return len(data) + sum(_keys(v) for v in data.values() if _is_container(v))
    if isinstance(data, list):
        return sum(_keys(item) for item in data if _is_container(item))
    return 0


def _twice(data: bytes) -> str:
    """Names the first key that stands twice, once it is known that one does."""
    if len(data) > _LARGE:
        # Looking for its name would take longer than all the rest.
        return "a key stands twice in one object"
    found: list[str] = []

    def look(pairs: list[tuple[str, Any]]) -> None:
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen and not found:
                found.append(name)
            seen.add(name)

    json.loads(data, object_pairs_hook=look)
    return f"the key {found[0][:40]!r} stands twice in one object"


def _is_container(data: Any) -> bool:
    return isinstance(data, dict | list)


# Form


def _check_head(path: Path, data: Any) -> None:
    """Refuses another format or version before the details of the form are checked."""
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise _bad(path, f'its "format" is not "{FORMAT}"')
    found = data.get("version")
    if isinstance(found, bool) or not isinstance(found, int) or found < 1:
        said = msgspec.json.encode(found).decode()[:40]
        raise _bad(path, f"its version is {said}, and the first version is 1")
    if found > VERSION:
        message = (
            f"{path} is of version {found}, and this isolation-spec reads up to "
            f"{VERSION}: use a newer one"
        )
        raise UnsupportedFailure(message)


def _counts(scenario: Any) -> Iterator[str]:
    """Counts users and operations before they are decoded."""
    if not isinstance(scenario, dict):
        return
    for name, most in (("operations", MOST_OPERATIONS), ("users", MOST_USERS)):
        found = scenario.get(name)
        if isinstance(found, list) and len(found) > most:
            yield f"it has more than {most} {name}"


def _problems(failure: Failure) -> Iterator[str]:
    yield from failure.scenario.problems()
    violation, users = failure.violation, len(failure.scenario.users)
    if violation.claim != failure.claim:
        yield f"its violation is of another claim, {violation.claim[:40]!r}"
    for user in violation.users:
        if not 0 <= user < users:
            yield f"its violation names user {user} of {users}"


def _check_claim(path: Path, failure: Failure) -> None:
    known = [claim.id for claim in CLAIMS]
    if failure.claim not in known:
        said = "".join(c if c.isprintable() else "?" for c in failure.claim[:40])
        message = (
            f"{path} is of the claim {said!r}, which this isolation-spec does not "
            f"make; it makes {', '.join(known)}"
        )
        raise UnsupportedFailure(message)
