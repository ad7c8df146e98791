"""The choices of the scheduler, hung on chains."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated

import msgspec
from msgspec import Meta

from isolation_spec.model.scenario.chain import Chain
from isolation_spec.model.scenario.fields import LARGEST, Data

__all__ = ["Demotion", "Schedule"]


class Demotion(Data, frozen=True, kw_only=True):
    """A chain falls to a rank behind every class after so many of its arrivals."""

    chain: Annotated[str, Meta(description="The chain that falls.")]
    consumed: Annotated[
        int, Meta(ge=0, le=LARGEST, description="After so many of its arrivals.")
    ]
    rank: Annotated[
        int,
        Meta(
            ge=0,
            le=LARGEST,
            description="How far behind every class; 0 is the first place there.",
        ),
    ]


class Schedule(Data, frozen=True, kw_only=True):
    """The choices of the scheduler; an empty one is the order of plain asyncio.

    A chain is named `operation/kind`, or `operation/kind/ordinal` for the second and
    later streams of a kind. Classes: 0 is first. `burst`: so many arrivals may come in
    before the ready callbacks run. `split`: adjacent data arrives piece by piece.
    """

    classes: Annotated[
        dict[str, Annotated[int, Meta(ge=0, le=LARGEST)]],
        Meta(description="Chain to class; a chain not named has class 0."),
    ] = msgspec.field(default_factory=dict)
    demotions: Annotated[
        tuple[Demotion, ...], Meta(description="Which chains fall behind, and when.")
    ] = ()
    burst: Annotated[
        int,
        Meta(ge=0, le=LARGEST, description="How many arrivals may come in at once."),
    ] = 0
    split: Annotated[
        bool, Meta(description="Whether adjacent data arrives piece by piece.")
    ] = False

    def restricted_to(self, owners: Collection[int | None]) -> Schedule:
        """The schedule with the choices on chains of these owners alone."""

        def stays(chain: str) -> bool:
            return Chain.parse(chain).owner in owners

        return msgspec.structs.replace(
            self,
            classes={c: n for c, n in self.classes.items() if stays(c)},
            demotions=tuple(d for d in self.demotions if stays(d.chain)),
        )
