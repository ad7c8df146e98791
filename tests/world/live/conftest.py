"""The fixture of live runs that must end without leaks."""

import pytest

from isolation_spec.world.live import world as live_world


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets worlds settle for a minute: on a busy machine a second may be too short.

    A run without leaks ends no later for that.
    """
    monkeypatch.setattr(live_world, "_LONGEST_SETTLING", 60.0)
