"""The entries of a history."""

import typing

import msgspec

from isolation_spec.model.history.entries import Entry, OperationStarted

KINDS = typing.get_args(Entry)


def test_each_kind_of_entry_has_a_tag_of_its_own() -> None:
    """The tag of an entry names its kind, in the field `saw` of its JSON."""
    tags = {kind.__struct_config__.tag for kind in KINDS}

    assert len(KINDS) == len(tags)
    assert {"saw"} == {kind.__struct_config__.tag_field for kind in KINDS}


def test_entries_are_immutable_and_keep_their_kind_in_json() -> None:
    """A history cannot change after it was judged, and is read back as it was."""
    entry = OperationStarted(time=0.5, turn=3, operation=1, user=0)

    read = msgspec.json.decode(msgspec.json.encode(entry), type=Entry)

    assert entry == read
    assert all(kind.__struct_config__.frozen for kind in KINDS)
