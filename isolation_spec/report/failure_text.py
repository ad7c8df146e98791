"""The text of a saved failure, the same for every report."""

from __future__ import annotations

from isolation_spec.failure.replay_command import replay_command
from isolation_spec.search.events import FailureSaved

__all__ = ["REPLAY", "SAVED", "brief_failure_lines", "failure_lines"]

SAVED = "Saved in "
REPLAY = "Replay with: "


def failure_lines(event: FailureSaved) -> list[str]:
    """The lines of a failure: the story, where it is saved, and what replays it.

    Of one that could not be saved, the story alone.
    """
    lines = [*(event.story or (event.violation.sentence(),)), ""]
    if event.world == "live":
        lines.append("Found live: not replayable, and not shrunk.")
        return [*lines, f"{SAVED}{event.path}"] if event.path else lines
    if not event.confirmed:
        lines.append("Not deterministic: a replay in a fresh world differed.")
        if event.difference:
            lines.append(f"First {event.difference}")
    if not event.path:
        return lines
    replay = f"{REPLAY}{replay_command(event.path, event.engine)}"
    return [*lines, f"{SAVED}{event.path}", replay]


def brief_failure_lines(event: FailureSaved) -> list[str]:
    """As `tell`, to whoever has just been shown the scenario and its run.

    Left are the claim, its contradiction, and what is said last.
    """
    paragraphs = "\n".join(failure_lines(event)).split("\n\n")
    if len(paragraphs) < len(("claim", "scenario", "contradiction", "saved")):
        return failure_lines(event)
    claim, _, contradiction, *_, last = paragraphs
    brief = "\n\n".join((claim, "In the scenario above:", contradiction, last))
    return brief.split("\n")
