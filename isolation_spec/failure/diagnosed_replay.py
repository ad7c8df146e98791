"""Diagnoses a replayed failure: further runs find the passing run beside it."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from isolation_spec.claims import Verdict
from isolation_spec.contract.adapter import Adapter
from isolation_spec.contract.errors import AdapterError
from isolation_spec.diagnosis.ablation import diagnose
from isolation_spec.diagnosis.diagnosis import Diagnosis
from isolation_spec.execution.run import run
from isolation_spec.failure.replay import Replay
from isolation_spec.model.history.history import History

__all__ = ["DiagnosedReplay", "diagnose_replay"]

MakeAdapter = Callable[[], Adapter]


class DiagnosedReplay(msgspec.Struct, frozen=True, kw_only=True):
    """The history of a replay with its awaits, and the diagnosis of its violation.

    `diagnosis` is None where the replay violates nothing.
    """

    history: History
    diagnosis: Diagnosis | None


def diagnose_replay(replayed: Replay, make_adapter: MakeAdapter) -> DiagnosedReplay:
    """Diagnoses a replay, with a few dozen further runs of its scenario.

    Raises:
        AdapterError: the adapter broke its contract, or the replay has no history.
    """
    if replayed.history is None or replayed.judgement is None:
        raise AdapterError(replayed.note)
    history = _with_awaits(replayed.history, make_adapter)
    if replayed.judgement.verdict is not Verdict.VIOLATED:
        return DiagnosedReplay(history=history, diagnosis=None)
    diagnosis = diagnose(history, replayed.judgement.violations[0], make_adapter)
    passing_run = diagnosis.passing_run
    if passing_run is not None:
        other = _with_awaits(passing_run.history, make_adapter)
        passing_run = msgspec.structs.replace(passing_run, history=other)
        diagnosis = msgspec.structs.replace(diagnosis, passing_run=passing_run)
    return DiagnosedReplay(history=history, diagnosis=diagnosis)


def _with_awaits(history: History, make_adapter: MakeAdapter) -> History:
    """Returns the history with its awaits, which only a run that counts steps records.

    Returns it unchanged if that run has another digest.
    """
    scenario = msgspec.structs.replace(history.scenario, schedule=history.schedule)
    counted = run(scenario, make_adapter, count_steps=True)
    if counted.digest() != history.digest():
        return history
    return msgspec.structs.replace(history, awaits=counted.awaits)
