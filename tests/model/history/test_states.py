"""States are enumerations in code, and their values in JSON."""

from typing import Any

import msgspec
import pytest

from isolation_spec.model.history.entries import (
    AgentStepped,
    Entry,
    OperationEnded,
    PhaseStarted,
    SessionMoved,
    ToolRan,
)
from isolation_spec.model.history.states import (
    Outcome,
    Phase,
    SessionMove,
    StepOutcome,
    ToolMoment,
)

AT: dict[str, Any] = {"time": 0.0, "turn": 1}
ENTRIES: list[Entry] = [
    *(OperationEnded(**AT, outcome=outcome) for outcome in Outcome),
    *(
        AgentStepped(**AT, path=(0,), step="emit", seen="", identity=None, outcome=one)
        for one in StepOutcome
    ),
    *(PhaseStarted(**AT, phase=phase) for phase in Phase),
    *(SessionMoved(**AT, session=1, move=move) for move in SessionMove),
    *(
        ToolRan(**AT, tool="echo", argument="a", identity=None, moment=moment)
        for moment in ToolMoment
    ),
]


@pytest.mark.parametrize("entry", ENTRIES, ids=str)
def test_a_state_is_its_value_in_json(entry: Entry) -> None:
    """An entry is written with the value of its state, and read back with the state."""
    written = msgspec.json.encode(entry)
    fields = msgspec.json.decode(written)
    read = msgspec.json.decode(written, type=Entry)

    assert entry == read
    for name in {"outcome", "phase", "move", "moment"} & fields.keys():
        assert type(getattr(read, name)) is type(getattr(entry, name))
        assert fields[name] == getattr(entry, name).value
