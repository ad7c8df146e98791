"""Counters of the activity that a run reached."""

from isolation_spec.model.history.activity import ActivityCounters


def test_counters_add_up() -> None:
    """Each counter adds the one of the same name."""
    total = ActivityCounters(users=2, attacks=1)

    total.add(ActivityCounters(users=3, cleanups=4))

    assert ActivityCounters(users=5, attacks=1, cleanups=4) == total


def test_missing_counters_are_named_in_their_order() -> None:
    """Counters at zero are missing, if they are required or nothing is said."""
    some = ActivityCounters(users=1, tools_run=2)

    assert ("handshakes", "attacks") == some.missing(["attacks", "users", "handshakes"])
    assert {"users", "tools_run"}.isdisjoint(some.missing())
    assert len(ActivityCounters.__struct_fields__) == 2 + len(some.missing())
