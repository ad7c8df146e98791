"""The command that replays a failure file can be pasted into a shell."""

import pytest

from isolation_spec.failure.replay_command import replay_command


@pytest.mark.parametrize(
    ("path", "engine", "command"),
    [
        ("f.json", "reference", "isolation-spec replay f.json"),
        ("a b.json", "reference+x", "isolation-spec replay 'a b.json'"),
        ("f", "mine:A", "isolation-spec replay f --engine mine:A"),
        ("f", "m;rm:A", "isolation-spec replay f --engine 'm;rm:A'"),
    ],
)
def test_the_command_names_what_a_file_may_not(
    path: str, engine: str, command: str
) -> None:
    """An engine by `module:factory` is given; a registered one is found by its name."""
    assert command == replay_command(path, engine)
