"""The events of a search."""

import typing

import msgspec
import pytest

from isolation_spec.search.events import Event, NotSaved, Progressed, SearchFailed

KINDS = typing.get_args(Event)


def test_each_kind_of_event_is_named_in_json() -> None:
    """The field `event` holds the name of the class, so that any reader can tell."""
    tags = [kind.__struct_config__.tag for kind in KINDS]

    assert [kind.__name__ for kind in KINDS] == tags
    assert {"event"} == {kind.__struct_config__.tag_field for kind in KINDS}


@pytest.mark.parametrize(
    "event",
    [
        Progressed(examples=1, interleavings=2, of_examples=3),
        NotSaved(path="p", problem="no space", data="{}"),
        SearchFailed(reason="r"),
    ],
)
def test_an_event_survives_the_pipe(event: Event) -> None:
    """An event that a worker sends arrives as it was."""
    sent = msgspec.msgpack.encode(event)

    assert event == msgspec.msgpack.decode(sent, type=Event)
