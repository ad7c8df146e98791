"""The options of the plugin, from the command line and the ini file."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

__all__ = ["OPTIONS", "Options", "add_options", "read_options"]

_FOLDER = ".isolation-spec/failures"
_WORKER_INPUT = "isolation_spec"


@dataclass(slots=True)
class Options:
    """The options of one session.

    Attributes:
        profile: the profile of all test cases, None to leave each its own.
        default_profile: the profile of the test cases without one of their own.
        engines: names of engines to verify besides the collected test cases.
        replay: the failure file, or the folder of failure files, to replay.
        failures: the folder in which failure files are saved.
        shared: the folder in which the processes of the session share their searches;
            None in a session of one process.
        here: the working directory of the user.
        interrupted: the outcomes of tests that an interrupt left without a report.
    """

    profile: str | None
    default_profile: str
    engines: tuple[str, ...]
    replay: Path | None
    failures: Path
    shared: Path | None = None
    interrupted: list[str] = field(default_factory=list)
    here: Path = field(default_factory=Path.cwd)
    _is_owner: bool = False

    def shown(self, path: Path) -> str:
        """Returns the path as the user would write it, relative where possible."""
        return str(path.relative_to(self.here) if self.here in path.parents else path)

    def send_to(self, node: Any) -> None:
        """Sends the options that only this process can read to a worker."""
        # With --dist each, workers may differ in their Python, so each one searches.
        if self.shared is None and node.config.getoption("dist") != "each":
            self.shared = Path(tempfile.mkdtemp(prefix="isolation-spec-"))
            self._is_owner = True
        node.workerinput[_WORKER_INPUT] = {
            "engines": list(self.engines),
            "replay": self.replay and str(self.replay),
            "failures": str(self.failures),
            "shared": self.shared and str(self.shared),
        }

    def remove_shared(self) -> None:
        """Removes the shared folder, if this process made it."""
        if self._is_owner and self.shared is not None:
            shutil.rmtree(self.shared, ignore_errors=True)


OPTIONS = pytest.StashKey[Options]()


def add_options(parser: pytest.Parser) -> None:
    """Adds the options and the ini options of the plugin."""
    group = parser.getgroup("isolation-spec")
    group.addoption(
        "--isolation-engine",
        action="append",
        default=[],
        metavar="NAME",
        help="Verify this engine too: reference, the name of an entry point, or "
        "module:factory. Repeatable.",
    )
    group.addoption(
        "--isolation-profile",
        metavar="NAME",
        help="The profile of each search; overrides the profiles of test cases.",
    )
    group.addoption(
        "--isolation-replay",
        metavar="PATH",
        help="Replay this failure file, or each one in this folder, as a test.",
    )
    group.addoption(
        "--isolation-failures",
        metavar="DIR",
        help=f"Folder for failure files. Default: {_FOLDER} under the rootdir.",
    )
    parser.addini(
        "isolation_engine",
        "Engines to verify whenever no path is given, one per line.",
        type="linelist",
    )
    parser.addini(
        "isolation_profile", "Profile of isolation test cases without one of their own."
    )
    parser.addini(
        "isolation_failures", "Folder for failure files, relative to the ini file."
    )


def read_options(config: pytest.Config) -> Options:
    """Returns this session's options; a worker uses the options that it was sent.

    Raises:
        UsageError: a profile, an engine or a path to replay does not exist.
    """
    options = Options(
        profile=config.getoption("isolation_profile"),
        default_profile=config.getini("isolation_profile") or "quick",
        engines=_engines(config),
        replay=_replay(config),
        failures=_failures(config),
        here=config.invocation_params.dir,
    )
    sent = getattr(config, "workerinput", {}).get(_WORKER_INPUT)
    if sent is None:
        _check(config, options)
        return options
    options.engines = tuple(sent["engines"])
    options.replay = sent["replay"] and Path(sent["replay"])
    options.failures = Path(sent["failures"])
    options.shared = sent["shared"] and Path(sent["shared"])
    return options


def _engines(config: pytest.Config) -> tuple[str, ...]:
    engines = config.getoption("isolation_engine")
    # The engines of an ini file belong to the test paths: a path on the command line
    # replaces both.
    if config.args_source is not config.ArgsSource.ARGS:
        engines = [*config.getini("isolation_engine"), *engines]
    return tuple(dict.fromkeys(engines))


def _replay(config: pytest.Config) -> Path | None:
    named = config.getoption("isolation_replay")
    return None if named is None else config.invocation_params.dir / named


def _failures(config: pytest.Config) -> Path:
    named: str | None = config.getoption("isolation_failures")
    if named is not None:
        return config.invocation_params.dir / named
    base = config.rootpath if config.inipath is None else config.inipath.parent
    ini: str = config.getini("isolation_failures")
    return base / ini if ini else config.rootpath / _FOLDER


def _check(config: pytest.Config, options: Options) -> None:
    """Refuses impossible options before any test runs."""
    if config.getoption("isolation_profile") or config.getini("isolation_profile"):
        _check_profiles(options)
    if options.engines:
        _check_engines(config, options)
    if options.replay is not None:
        _check_replay(options.replay)
    _check_failures(options.failures)


def _check_profiles(options: Options) -> None:
    from isolation_spec.strategies.profiles import find_profile

    try:
        find_profile(options.profile or options.default_profile)
    except KeyError as error:
        message = f"isolation profile: {error.args[0]}"
        raise pytest.UsageError(message) from None


def _check_engines(config: pytest.Config, options: Options) -> None:
    from isolation_spec.contract.errors import AdapterError
    from isolation_spec.plugin.claim_tests import find_named

    try:
        for name in options.engines:
            find_named(config, name)
    except AdapterError as error:
        message = f"isolation engine: {error}"
        raise pytest.UsageError(message) from None


def _check_replay(path: Path) -> None:
    from isolation_spec.failure import BadFailureFile, failure_files

    if not path.exists():
        message = f"--isolation-replay: there is no file or folder {path}"
        raise pytest.UsageError(message)
    try:
        list(failure_files(path))
    except BadFailureFile as error:
        message = f"--isolation-replay: {error}"
        raise pytest.UsageError(message) from None


def _check_failures(folder: Path) -> None:
    for place in (folder, *folder.parents):
        if place.exists():
            if not place.is_dir() or not os.access(place, os.W_OK):
                message = f"isolation failures cannot be saved in {folder}"
                raise pytest.UsageError(message)
            return
