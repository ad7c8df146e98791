"""Chains: structs in code, text in schedules and histories."""

import pytest

from isolation_spec.model.scenario import Chain, ChainKind

TEXTS = {
    "3/call": Chain(3, ChainKind.CALL),
    "3/call/1": Chain(3, ChainKind.CALL, 1),
    "world/accept": Chain(None, ChainKind.ACCEPT),
    "world/to-client/2": Chain(None, ChainKind.TO_CLIENT, 2),
    "7/of a kind to come": Chain(7, "of a kind to come"),
}


@pytest.mark.parametrize("text", TEXTS)
def test_a_chain_has_one_text(text: str) -> None:
    """A text is parsed to its chain, and the chain gives the same text back."""
    assert TEXTS[text] == Chain.parse(text)
    assert text == Chain.text(*TEXTS[text])


@pytest.mark.parametrize(
    ("text", "chain"),
    [
        ("", Chain(None, "")),
        ("x", Chain(None, "")),
        ("x/call", Chain(None, "call")),
        ("3", Chain(3, "")),
        ("3/call/x", Chain(3, "call")),
        ("²/call", Chain(None, "call")),
        (f"{'9' * 5000}/start/{'9' * 5000}", Chain(None, "start")),
    ],
)
def test_any_text_is_parsed(text: str, chain: Chain) -> None:
    """A file may hold any text: an unreadable owner is None, an ordinal 0."""
    assert chain == Chain.parse(text)
