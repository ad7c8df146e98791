"""The failure file: its contents, and how it is saved, loaded, replayed and exported.

Pure JSON, versioned, checked before it is believed and bounded before it is read; its
form is written down, field by field, in `failure.schema.json` beside this module, which
`isolation-spec schema` prints. Nothing in a file is ever imported, called or unpickled:
an engine that it names and that is not registered must be given by the user.
"""

from isolation_spec.failure.export import export_test, to_python
from isolation_spec.failure.file import Failure, file_name, make_failure, save
from isolation_spec.failure.load import BadFailureFile, UnsupportedFailure, load
from isolation_spec.failure.outcome import Outcome
from isolation_spec.failure.replay import (
    Drift,
    Replay,
    assert_holds,
    engine_of,
    failure_files,
    replay,
    replay_file,
)
from isolation_spec.failure.schema import make_schema, read_schema

__all__ = [
    "BadFailureFile",
    "Drift",
    "Failure",
    "Outcome",
    "Replay",
    "UnsupportedFailure",
    "assert_holds",
    "engine_of",
    "export_test",
    "failure_files",
    "file_name",
    "load",
    "make_failure",
    "make_schema",
    "read_schema",
    "replay",
    "replay_file",
    "save",
    "to_python",
]
