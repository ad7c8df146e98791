"""The words of each remark."""

import pytest

from isolation_spec.claims.remarks import (
    AnyRemark,
    CallbackComputes,
    IdentityOfDeparted,
    ObjectHeldByTwo,
    ValuesSeenInPart,
)
from isolation_spec.diagnosis.wording import (
    describe_remark,
)


@pytest.mark.parametrize(
    ("remark", "words"),
    [
        (ObjectHeldByTwo("A.x", "A.y"), "hold one object, A.x (and as A.y): "),
        (ValuesSeenInPart("read", 2, 9, "A: native"), "2 of 9 values of read have a "),
        (IdentityOfDeparted("task", "work"), "the task work outlives the cleanup"),
        (CallbackComputes("engine.parse"), "1 s of CPU time or more in engine.parse,"),
    ],
)
def test_a_remark_has_its_words(remark: AnyRemark, words: str) -> None:
    """A remark is one sentence, which names its place."""
    text = describe_remark(remark)

    assert words in text
    assert "\n" not in text
