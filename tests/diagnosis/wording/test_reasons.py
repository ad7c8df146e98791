"""The words of each reason why a claim has no evidence."""

import pytest

from isolation_spec.claims import Reason, ReasonKind
from isolation_spec.claims.teardown import TEARDOWN
from isolation_spec.diagnosis.wording import (
    describe_reason,
)


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (None, ""),
        (
            Reason(ReasonKind.UNDECLARED, ("tools", "memory")),
            "the engine declares no tools, memory",
        ),
        (Reason(ReasonKind.NO_SOLO_RUN), "no user's solo run was made"),
        (
            Reason(ReasonKind.CHECK_CRASHED, ("KeyError: 1",)),
            "its check crashed: KeyError: 1",
        ),
        (
            Reason(ReasonKind.NOT_REACHED),
            f"never reached: {TEARDOWN.situation}",
        ),
        (Reason(ReasonKind.NEVER_JUDGED), "never reached"),
        (
            Reason(ReasonKind.OPAQUE, ("read (A: native)",)),
            "every value of read (A: native) has a part that cannot be seen: return "
            "plain data, or objects that hold their values as attributes",
        ),
    ],
)
def test_a_reason_has_its_words(reason: Reason | None, words: str) -> None:
    """Each reason why a claim has no evidence is said in a few words."""
    assert words == describe_reason("teardown", reason)


def test_every_kind_of_reason_has_words_of_its_own() -> None:
    """No two kinds of reasons are said in the same words."""
    words = {describe_reason("teardown", Reason(kind)) for kind in ReasonKind}

    assert len(ReasonKind) == len(words)
