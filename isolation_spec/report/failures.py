"""What is said of a saved failure, in the same words on every face."""

from __future__ import annotations

from isolation_spec.report.command import replay_command
from isolation_spec.report.events import FailureSaved

__all__ = ["REPLAY", "SAVED", "tell"]

SAVED = "Saved in "
REPLAY = "Replay with: "


def tell(event: FailureSaved) -> list[str]:
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
