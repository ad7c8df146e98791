"""Typed facts, one struct for each way in which a claim is violated.

Claims report them, `isolation_spec.diagnosis.wording` turns them into text, and
`isolation_spec.failure.redaction` removes their text that the engine chose.
"""

from __future__ import annotations

from typing import TypeAlias

from isolation_spec.claims.facts.base import Fact, Shown, Text, change_texts, texts_in
from isolation_spec.claims.facts.events import (
    DuplicateStart,
    EventAfterEnd,
    EventLabel,
    EventMissing,
    EventOfForeignRun,
    EventOfForeignUser,
    EventOutOfOrder,
    EventWithForeignValue,
    ForgedTokenAccepted,
    RunWithoutEnd,
    RunWithoutStart,
    ToolEndedUnbegun,
    ToolNeverEnded,
    representable,
)
from isolation_spec.claims.facts.recorded import RecordedText
from isolation_spec.claims.facts.requests import (
    ConnectionCutOff,
    ContextRefused,
    DeniedToolRan,
    LoopHeld,
    OperationFailed,
    OperationStalled,
    RunRefused,
    RunWaited,
    ToolCallRaised,
    ToolInForeignContext,
    ToolRanTwice,
    TooManyCalls,
    TooManyContexts,
    TooManyRuns,
    TooManyStarts,
    WrongToolAnswer,
)
from isolation_spec.claims.facts.resources import (
    CleanupCancelled,
    CleanupFailed,
    CleanupTooLong,
    ExceptionNotHandled,
    GaugeNotZero,
    OperationUnfinished,
    ResourceLeftAlive,
    ServedAfterCleanup,
    SessionNeverClosed,
    SessionOfTwoUsers,
    TransactionKept,
)
from isolation_spec.claims.facts.values import (
    AliasedObject,
    Cause,
    DiffersFromAlone,
    ForeignAwait,
    ForeignIdentity,
    ForeignRow,
    ForeignValue,
    Observation,
    StaleState,
    Surface,
    WriteCameBack,
    WriteLost,
    WriteUnseen,
)

__all__ = [
    "AliasedObject",
    "AnyFact",
    "Cause",
    "CleanupCancelled",
    "CleanupFailed",
    "CleanupTooLong",
    "ConnectionCutOff",
    "ContextRefused",
    "DeniedToolRan",
    "DiffersFromAlone",
    "DuplicateStart",
    "EventAfterEnd",
    "EventLabel",
    "EventMissing",
    "EventOfForeignRun",
    "EventOfForeignUser",
    "EventOutOfOrder",
    "EventWithForeignValue",
    "ExceptionNotHandled",
    "Fact",
    "ForeignAwait",
    "ForeignIdentity",
    "ForeignRow",
    "ForeignValue",
    "ForgedTokenAccepted",
    "GaugeNotZero",
    "LoopHeld",
    "Observation",
    "OperationFailed",
    "OperationStalled",
    "OperationUnfinished",
    "RecordedText",
    "ResourceLeftAlive",
    "RunRefused",
    "RunWaited",
    "RunWithoutEnd",
    "RunWithoutStart",
    "ServedAfterCleanup",
    "SessionNeverClosed",
    "SessionOfTwoUsers",
    "Shown",
    "StaleState",
    "Surface",
    "Text",
    "TooManyCalls",
    "TooManyContexts",
    "TooManyRuns",
    "TooManyStarts",
    "ToolCallRaised",
    "ToolEndedUnbegun",
    "ToolInForeignContext",
    "ToolNeverEnded",
    "ToolRanTwice",
    "TransactionKept",
    "WriteCameBack",
    "WriteLost",
    "WriteUnseen",
    "WrongToolAnswer",
    "change_texts",
    "representable",
    "texts_in",
]

AnyFact: TypeAlias = (
    ForeignValue
    | ForeignIdentity
    | ForeignAwait
    | StaleState
    | ForeignRow
    | WriteLost
    | WriteCameBack
    | WriteUnseen
    | AliasedObject
    | DiffersFromAlone
    | EventWithForeignValue
    | EventOfForeignUser
    | EventOfForeignRun
    | ForgedTokenAccepted
    | EventOutOfOrder
    | EventMissing
    | EventAfterEnd
    | DuplicateStart
    | RunWithoutStart
    | RunWithoutEnd
    | ToolEndedUnbegun
    | ToolNeverEnded
    | TooManyContexts
    | ContextRefused
    | RunRefused
    | RunWaited
    | TooManyCalls
    | TooManyRuns
    | TooManyStarts
    | DeniedToolRan
    | ToolRanTwice
    | ToolInForeignContext
    | WrongToolAnswer
    | ToolCallRaised
    | OperationFailed
    | OperationStalled
    | ConnectionCutOff
    | LoopHeld
    | SessionNeverClosed
    | SessionOfTwoUsers
    | TransactionKept
    | ResourceLeftAlive
    | GaugeNotZero
    | ExceptionNotHandled
    | OperationUnfinished
    | CleanupFailed
    | CleanupCancelled
    | CleanupTooLong
    | ServedAfterCleanup
    | RecordedText
)
