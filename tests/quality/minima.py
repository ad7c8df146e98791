"""The least that each planted fault needs, claim by claim.

A minimum is operations and decisions together; shrinking never goes from one claim to
another, so it has one for each claim under which the search may find the fault. Each
story is run in every test run, with a sample of what is smaller; the enumerator looks
for it from nothing on demand. The sentence beside it argues why none is shorter.
"""

from __future__ import annotations

from typing import NamedTuple

from tests.quality.enumerator import Names

__all__ = ["MINIMA", "NAMES", "Minimum"]


class Minimum(NamedTuple):
    """Of one fault under one claim: its story, and why it is no shorter."""

    fault: str
    claim: str
    story: str
    why: str


NAMES: dict[str, Names] = {
    "folded-case": (("user", "t"), ("USER", "t")),
    "joined-owner": (("u", "1:t"), ("u:1", "t")),
    "normalised-id": (("\u00e9", "t"), ("e\u0301", "t")),
    "number-like": (("1", "t"), ("01", "t")),
    "pattern-match": (("user", "t"), ("us_r", "t")),
    "prefix-cleanup": (("u1", "t"), ("u", "t")),
    "prefix-match": (("u", "t"), ("u1", "t")),
    "slashed-owner": (("u", "1/t"), ("u/1", "t")),
    "trimmed-id": (("user", "t"), ("user ", "t")),
    "truncated-id": (("u" * 16 + "1", "t"), ("u" * 16 + "2", "t")),
}
"""What the users are called where that matters; else `PLAIN`."""

_OWNERSHIP = "context-ownership"
_WRITES = "stored-writes"
_ROUTING = "event-routing"
_LIFECYCLE = "event-lifecycle"
_LIMITS = "exact-limits"
_TOOLS = "tool-isolation"
_SESSIONS = "database-sessions"
_ERRORS = "error-containment"
_TEARDOWN = "teardown"
_ALONE = "noninterference"

_KEPT = (
    "What a read kept must be older than a row that a transaction stored, and be read "
    "again."
)
_ONE = "Without an operation nothing is asked of the engine."
_TWO = "What it breaks is done in a context, which must be opened first."
_EACH = "Each of two users needs a context of their own, and nothing else."
_ANOTHER = "A context, and a request in it that is not its owner's."
_BOTH = (
    "Two users must come through the same place, each in a context of their own; that "
    "is two contexts and two operations in them."
)
_HEARD = "One user is connected, and another needs a context and a run to tell of."
_STRUCK = (
    "As two users must come through the same place, and in plain order each leaves it "
    "again: somebody must be interrupted there."
)
_LEFT_IN_LINE = (
    "Before the one who leaves somebody must be asked about, and behind them somebody "
    "else, whom nobody knows; in plain order the first answer comes too early."
)
_SELF = (
    "Two calls of one user in one context must be under way at once, and one of them "
    "be broken off or come before the other is done."
)
_AT_ONCE = "Two calls must be under way at once: a context, and two runs in it."
_BEHIND = (
    "One user has the place, another waits for it and is cancelled when it comes free, "
    "and the next step of the first one's run is behind them: two contexts, two runs."
)
_IN_LINE = (
    "One user must be in the line behind the other and be cancelled there, and the "
    "first must call once more, as with one call each nobody comes after."
)
_JOINED = (
    "Two users must wait for the same work, each in a context of their own, and the "
    "one whose leaving ends it must be cancelled there."
)
_CAME_AND_WENT = (
    "Two users do something, each in a context of their own, and in plain order "
    "neither does all of it while the other waits for one answer."
)
_WITHIN = (
    "All of one run must lie within the wait of another for one answer, in a context; "
    "in plain order both wait at once."
)
_CACHED = (
    "The row must be stored and read by one user and read by the other, for which each "
    "needs a context and at least one operation in it."
)
_OUTLASTS = (
    "Two users need a context and a run each, and one's answer must outlast the whole "
    "run of the other; in plain order it comes long before."
)
_TOLD_TWICE = (
    "A run in a context, and a connection that hears what is told once more; in plain "
    "order the answer comes before the end."
)
MINIMA = (
    Minimum(
        "aborted-by-number",
        _ERRORS,
        "open run run[sleep] ; late 2/call",
        "A context, a run that is over before its answer comes, and one that then is "
        "under way; in plain order the answer comes in time.",
    ),
    Minimum(
        "answer-cache",
        _OWNERSHIP,
        "open run[think, hello] | open run[sleep, hello]",
        _BOTH,
    ),
    Minimum("arguments-on-tool", _OWNERSHIP, "open run[echo] | open run[echo]", _BOTH),
    Minimum("arguments-on-tool", _TOOLS, "open run[echo]& run[echo]", _SELF),
    Minimum("auth-in-place", _TOOLS, "open run[slow] | open run[echo]", _BOTH),
    Minimum("batch-fails", _OWNERSHIP, "open run[failing] | open run[slow]", _BOTH),
    Minimum("batch-fails", _TOOLS, "open run[echo]& run[unknown]", _AT_ONCE),
    Minimum(
        "batch-refused",
        _ERRORS,
        "open run[sleep, broken] | open run[sleep, remember]",
        "Two users write at the same moment, each in a context, as a batch is what "
        "comes meanwhile.",
    ),
    Minimum(
        "batch-refused",
        _OWNERSHIP,
        "open run[sleep, broken] | open run[sleep, remember]",
        "Two users write at the same moment, each in a context, as a batch is what "
        "comes meanwhile.",
    ),
    Minimum(
        "behind-the-mark",
        _ERRORS,
        "open run[think] | open run ; late 2/call",
        _OUTLASTS,
    ),
    Minimum("behind-the-mark", _ALONE, "open run[slowly] | open run", _OUTLASTS),
    Minimum(
        "behind-the-mark",
        _TOOLS,
        "open run[echo] | open run ; late 2/call",
        _OUTLASTS,
    ),
    Minimum(
        "bound-for-another",
        _OWNERSHIP,
        "open run[recall, recall, recall] | open run[remember]!4",
        _BEHIND,
    ),
    Minimum(
        "bound-for-another",
        _WRITES,
        "open run[recall, remember] | open run!2",
        _BEHIND,
    ),
    Minimum("broadcast-to-all", _ROUTING, "connect | open run", _HEARD),
    Minimum(
        "cancelled-closes-all", _ALONE, "open run[echo]!2 | open run[echo]", _STRUCK
    ),
    Minimum(
        "cancelled-closes-all", _ERRORS, "open run[think]!2 | open run[think]", _STRUCK
    ),
    Minimum("cancelled-closes-all", _TOOLS, "open run[echo]& run[echo]!1e", _SELF),
    Minimum("checked-afterwards", _TOOLS, "open run[forbidden]", _TWO),
    Minimum(
        "cleared-afterwards",
        _TEARDOWN,
        "open run!1e | open run!1e",
        "Two users have a run in a context each, and both must be cancelled, as only "
        "the ends of such runs come together.",
    ),
    Minimum(
        "closed-while-parked",
        _ERRORS,
        "open run[think] | open run ; late 2/call",
        _OUTLASTS,
    ),
    Minimum("closed-while-parked", _ALONE, "open run[slowly] | open run", _OUTLASTS),
    Minimum(
        "closed-while-parked",
        _TOOLS,
        "open run[echo] | open run ; late 2/call",
        _OUTLASTS,
    ),
    Minimum(
        "closed-meanwhile",
        _ERRORS,
        "open run& run ; late 2/call",
        _WITHIN,
    ),
    Minimum(
        "comes-back",
        _WRITES,
        "open write erase",
        "What comes back was written and is gone, in a context.",
    ),
    Minimum("commit-on-error", _SESSIONS, "open run[break-off]", _TWO),
    Minimum(
        "confirmed-to-next",
        _OWNERSHIP,
        "open run[emit] | open run[sleep] ; late 2/call 4/start",
        "Two users need a context and a run each; one is over, and the other then "
        "under way, as the answer comes, which in plain order comes in time.",
    ),
    Minimum(
        "counted-afterwards",
        _LIMITS,
        "open run[think]& run[think]& run[think]& run[think]",
        "One more than the three runs that a context has at once, and the context.",
    ),
    Minimum(
        "counted-for-all",
        _ERRORS,
        "open open | open",
        "Two contexts are as many as a user may have, and another user, who has none, "
        "is refused the first.",
    ),
    Minimum(
        "counted-for-all",
        _LIMITS,
        "open open open | open",
        "A user who has one context is refused the second when two more are there.",
    ),
    Minimum(
        "credential-cache", _TOOLS, "open run[echo] | open run[sleep, echo]", _BOTH
    ),
    Minimum("dead-next", _ERRORS, "open run[echo, echo] | open run[echo]!1e", _IN_LINE),
    Minimum(
        "deadline-of-nothing",
        _TEARDOWN,
        "open run ; late 2/call",
        "What has a deadline is a run, which takes a context; in plain order the "
        "answer comes before its end.",
    ),
    Minimum(
        "decision-cache",
        _TOOLS,
        "open run[forbidden, echo]",
        "What it breaks is done in a context, which must be opened first.",
    ),
    Minimum("default-in-context", _OWNERSHIP, "open run[set] | open run[echo]", _BOTH),
    Minimum(
        "defaults-updated",
        _OWNERSHIP,
        "open | open read",
        "A context of each of two users, and a look at the later one.",
    ),
    Minimum(
        "done-unconfirmed",
        _TOOLS,
        "open run[echo] ; late 2/call",
        "What is done again is a call in a run, which takes a context; in plain order "
        "it is confirmed before the end of the run.",
    ),
    Minimum("each-statement", _SESSIONS, "open run[break-off]", _TWO),
    Minimum(
        "emptied-too-early",
        _ROUTING,
        "open run | connect open run ; late 2/call",
        "Two users have a run in a context each, one within the wait of the other, and "
        "who came and went must be connected to hear of the other.",
    ),
    Minimum("end-overtakes", _LIFECYCLE, "connect open run ; late 3/call", _TOLD_TWICE),
    Minimum("end-overtakes", _ROUTING, "connect open run ; late 3/call", _TOLD_TWICE),
    Minimum(
        "ends-twice",
        _LIFECYCLE,
        "connect open run& cancel",
        "A run in a context, a connection that hears two ends of it, and the "
        "cancelling.",
    ),
    Minimum(
        "erase-by-thread",
        _WRITES,
        "open write | open erase",
        _BOTH,
    ),
    Minimum("failure-escapes", _TOOLS, "open run[failing]", _TWO),
    Minimum(
        "first-leaves",
        _ROUTING,
        "connect!3e | forge",
        "Somebody leaves while being asked about, and a client whom nobody knows came "
        "meanwhile, and hears as little as those who are known.",
    ),
    Minimum("folded-case", _OWNERSHIP, "open write | open run[sleep, recall]", _BOTH),
    Minimum("folded-case", _WRITES, "open write | open erase", _BOTH),
    Minimum("followers-left", _ERRORS, "open run[think]!2 | open run[think]", _JOINED),
    Minimum(
        "gate-left-shut",
        _TEARDOWN,
        "open run!2 run | open run!1e",
        "Two runs must be cancelled, so that each is undone while the other is, and in "
        "the order in which they began; each needs a context, and a third run finds "
        "the gate shut.",
    ),
    Minimum(
        "given-up-early",
        _OWNERSHIP,
        "open run[slowly] | open run[think]",
        _OUTLASTS,
    ),
    Minimum(
        "given-up-early",
        _ROUTING,
        "open run[echo]& connect | open run[echo] ; late 2/call",
        "As for the call itself, and its user must be connected to be told of it.",
    ),
    Minimum(
        "given-up-early",
        _TOOLS,
        "open run[echo] | open run[echo] ; late 2/call",
        _OUTLASTS,
    ),
    Minimum("heartbeat-survives", _TEARDOWN, "open", _ONE),
    Minimum(
        "joined-disbanded",
        _TEARDOWN,
        "open run& run ; late 2/call",
        _WITHIN,
    ),
    Minimum("joined-login", _ALONE, "open run[echo]!1e | open run[echo]", _STRUCK),
    Minimum("joined-login", _ERRORS, "open run[think]!1e | open run[think]", _STRUCK),
    Minimum("joined-login", _TOOLS, "open run[echo]& run[echo]!1e", _SELF),
    Minimum(
        "joined-logout",
        _TEARDOWN,
        "open leave | open leave ; late burst",
        "Two users leave, each a context, at the same moment; in plain order the one "
        "is gone before the other leaves.",
    ),
    Minimum(
        "joined-owner",
        _OWNERSHIP,
        "open run[remember, recall] | open run[sleep, recall]",
        _CACHED,
    ),
    Minimum(
        "joined-owner",
        _WRITES,
        "open run[recall, transact] read",
        "What a read kept must be older than a row that a transaction stored, and "
        "be read again.",
    ),
    Minimum(
        "joined-query",
        _OWNERSHIP,
        "open write read | open run[think] read",
        "Two contexts, what is written, the read that is joined, the one that joins"
        " it, and what delays that until the row is there.",
    ),
    Minimum(
        "joined-query",
        _WRITES,
        "open write read | open read",
        "Two contexts, what is written, the read that is joined, and the one that "
        "joins it.",
    ),
    Minimum(
        "last-error",
        _OWNERSHIP,
        "open run[fail] read | open run[fail]",
        "Two contexts, two runs that fail at once, and somebody who looks; in a run"
        " that fails nobody looks any more.",
    ),
    Minimum(
        "last-error",
        _ROUTING,
        "connect open run[fail] | connect open run[fail]",
        "Two contexts, two runs that fail at once, and a connection each: with one "
        "alone its user comes too late.",
    ),
    Minimum(
        "last-registration-wins",
        _LIFECYCLE,
        "connect open run run[sleep]& connect",
        "A connection is known to the engine for certain once it heard a run; then "
        "the second one must come in the middle of another.",
    ),
    Minimum(
        "last-registration-wins",
        _ROUTING,
        "connect open run connect run",
        "A connection is known to the engine for certain once it heard a run; then "
        "a second one, and a run that the first misses.",
    ),
    Minimum(
        "late-cleanup",
        _ROUTING,
        "connect open reconnect run[sleep] run",
        "A connection, a newer one in its place, and two runs in a context: one for "
        "the time that the late cleanup takes, and one that nobody hears.",
    ),
    Minimum(
        "left-in-queue",
        _ERRORS,
        "open run | open run& run& run!1e",
        "Three must have places, one wait and be cancelled, and the first to leave be "
        "another user's: two contexts, four runs and the cancellation.",
    ),
    Minimum("left-open", _SESSIONS, "open run[break-off]", _TWO),
    Minimum("left-open", _TEARDOWN, "open run[break-off]", _TWO),
    Minimum("line-blocked", _ERRORS, "open run[slowly] | open run[think]", _BOTH),
    Minimum("line-blocked", _ALONE, "open run[think]!1e | open run[think]", _STRUCK),
    Minimum(
        "logged-in-meanwhile",
        _OWNERSHIP,
        "open run | open run ; late 2/call",
        _CAME_AND_WENT,
    ),
    Minimum(
        "logged-in-meanwhile",
        _TOOLS,
        "open run[echo] | open run ; late 2/call",
        _CAME_AND_WENT,
    ),
    Minimum(
        "login-to-next",
        _ROUTING,
        "connect!3e | forge",
        "One client leaves while being asked about, and its answer is taken for that "
        "about a client whom nobody knows.",
    ),
    Minimum("lost-and-over", _LIFECYCLE, "connect open run ; late 2/call", _TOLD_TWICE),
    Minimum(
        "lost-in-compaction",
        _ERRORS,
        "open run& run ; late 2/call",
        _WITHIN,
    ),
    Minimum("masked-owner", _ROUTING, "connect | open run", _HEARD),
    Minimum("metadata-alias", _WRITES, "open mutate", _TWO),
    Minimum(
        "name-believed",
        _ROUTING,
        "their-connect | open run",
        "The one who takes the name, and a context and a run to tell of.",
    ),
    Minimum(
        "new-is-mine",
        _OWNERSHIP,
        "open run | open run ; late 2/call",
        _CAME_AND_WENT,
    ),
    Minimum(
        "newest-first",
        _LIFECYCLE,
        "open run connect",
        "What waits in a queue is told by a run in a context, and heard by a "
        "connection.",
    ),
    Minimum(
        "newest-first",
        _ROUTING,
        "open run connect",
        "What waits in a queue is told by a run in a context, and heard by a "
        "connection.",
    ),
    Minimum(
        "normalised-id",
        _OWNERSHIP,
        "open run[remember, recall] | open run[sleep, recall]",
        _CACHED,
    ),
    Minimum("normalised-id", _WRITES, "open run[recall, transact] read", _KEPT),
    Minimum(
        "not-queued",
        _ROUTING,
        "open connect run ; late 2/call",
        "A connection, a context and a run; and in plain order the connection is "
        "there in time, or all of the run was before it.",
    ),
    Minimum(
        "noted-for-next",
        _OWNERSHIP,
        "open run[emit] | open run[sleep] ; late 2/call/1 4/start",
        "Two users have a run in a context each, the second after the end of the "
        "first, as in plain order it is not, and what the first noted must come after "
        "its beginning.",
    ),
    Minimum(
        "number-like",
        _OWNERSHIP,
        "open run[remember, recall] | open run[sleep, recall]",
        _CACHED,
    ),
    Minimum("number-like", _WRITES, "open run[recall, transact] read", _KEPT),
    Minimum(
        "numbered-again",
        _OWNERSHIP,
        "open run | open run ; late 2/call",
        _CAME_AND_WENT,
    ),
    Minimum("one-agent", _OWNERSHIP, "open run[think] | open run[think]", _BOTH),
    Minimum("one-agent", _WRITES, "open run[think, remember] | open run[think]", _BOTH),
    Minimum("one-at-a-time", _ERRORS, "open run[sleep] | open run", _BOTH),
    Minimum(
        "one-breaker",
        _ERRORS,
        "open run[sleep, spawn] | open run[spawn-failing]",
        "A run that fails with its child, and another user's run that began before and "
        "spawns afterwards, in a context each.",
    ),
    Minimum(
        "one-breaker",
        _ALONE,
        "open run[sleep, spawn] | open run[spawn-failing]",
        _BOTH,
    ),
    Minimum("one-connection", _SESSIONS, "open write | open run[break-off]", _BOTH),
    Minimum(
        "one-connection",
        _WRITES,
        "open run& run& write",
        "A write in a context, and two runs at once whose ends come in the middle of "
        "it.",
    ),
    Minimum(
        "one-cookie-jar", _OWNERSHIP, "open run[think] | open run[sleep, think]", _BOTH
    ),
    Minimum(
        "one-cookie-jar", _ALONE, "open run[think] | open run[sleep, think]", _BOTH
    ),
    Minimum("one-dispatcher", _OWNERSHIP, "open | open", _EACH),
    Minimum("one-question", _ERRORS, "open run[slowly] | open run[think]", _BOTH),
    Minimum("one-queue", _ROUTING, "open run | connect", _HEARD),
    Minimum("one-run-table", _ERRORS, "open run | open their-cancel", _BOTH),
    Minimum("one-session", _SESSIONS, "open run | open run", _BOTH),
    Minimum("one-upstream", _ALONE, "open run[think] | open run[think]", _BOTH),
    Minimum(
        "over-is-anyones",
        _ROUTING,
        "connect | open run ; late 1/call 3/start",
        "One user is connected, and another needs a context and a run, which in plain "
        "order is over too late and begins too early.",
    ),
    Minimum(
        "over-unheard",
        _ROUTING,
        "connect open run ; late 1/call",
        "Who is to hear of it must be connected before the run, which takes a "
        "context, and in plain order it is known who that is before the run is over.",
    ),
    Minimum(
        "owner-on-store",
        _WRITES,
        "open run[sleep, remember] | open run[sleep, remember]",
        _BOTH,
    ),
    Minimum("pattern-match", _OWNERSHIP, "open write | open run[sleep, recall]", _BOTH),
    Minimum("pattern-match", _WRITES, "open write | open erase", _BOTH),
    Minimum(
        "permission-cache",
        _TOOLS,
        "open run[personal] | open run[sleep, personal]",
        _BOTH,
    ),
    Minimum("permit-lost", _ERRORS, "open run[echo]!1e | open run[echo]", _STRUCK),
    Minimum("permit-lost", _ALONE, "open run[echo]!1e | open run[echo]", _STRUCK),
    Minimum(
        "prefix-cleanup",
        _ERRORS,
        "open run | leave",
        "A context and a run in it that is under way, and the other's leaving.",
    ),
    Minimum("prefix-match", _OWNERSHIP, "open run[sleep, recall] | open write", _BOTH),
    Minimum("prompt-on-client", _OWNERSHIP, "open run[think] | open run[think]", _BOTH),
    Minimum(
        "read-before",
        _WRITES,
        "open write ; late 1/call",
        "What is lost is written in a context; in plain order the answer comes before "
        "that is open.",
    ),
    Minimum(
        "reader-stalls-all",
        _ROUTING,
        "unread open run[large] | connect open run",
        "One user has a connection that does not read, a context and a run that fills "
        "it, the other all that it takes to hear of a run.",
    ),
    Minimum(
        "redelivered",
        _TOOLS,
        "open run[echo] | open run ; late 2/call",
        _OUTLASTS,
    ),
    Minimum(
        "repeated-after",
        _ROUTING,
        "open run connect",
        "What is told twice is told by a run in a context, and heard by a connection.",
    ),
    Minimum(
        "reply-to-next", _OWNERSHIP, "open run[think]!1e | open run[think]", _STRUCK
    ),
    Minimum("reply-to-next", _ERRORS, "open run[slowly] | open run[think]", _BOTH),
    Minimum("reply-to-next", _ALONE, "open run[think]!1e | open run[think]", _STRUCK),
    Minimum("rest-untold", _ERRORS, "open run[think]!1e4 | open run[think]", _STRUCK),
    Minimum(
        "result-cache",
        _TOOLS,
        "open run[whoami-hello] | open run[sleep, whoami-hello]",
        _BOTH,
    ),
    Minimum(
        "result-to-next", _OWNERSHIP, "open run[slow]!1e | open run[slow]", _STRUCK
    ),
    Minimum("result-to-next", _TOOLS, "open run[slow]&!1e run[slow]", _SELF),
    Minimum("returned-alias", _WRITES, "open mutate", _TWO),
    Minimum(
        "revoked-in-use",
        _TOOLS,
        "open run run[sleep, echo] ; late 2/call",
        "A context, a run that is over before its answer comes, and a call of one that "
        "then is under way; in plain order the answer comes in time.",
    ),
    Minimum(
        "run-goes-on",
        _LIFECYCLE,
        "connect open run& cancel",
        "A run in a context, a connection that hears two ends of it, and the "
        "cancelling.",
    ),
    Minimum(
        "running-again",
        _TEARDOWN,
        "open run ; late 2/call",
        "What is cleaned up in vain is a run, which takes a context; in plain order "
        "the answer comes before its end.",
    ),
    Minimum(
        "search-everywhere",
        _OWNERSHIP,
        "open write | open read",
        _BOTH,
    ),
    Minimum(
        "same-end",
        _OWNERSHIP,
        "open run[remember, sleep, recall] | open write ; late 4/call",
        _CAME_AND_WENT,
    ),
    Minimum(
        "same-end",
        _WRITES,
        "open run[remember, sleep] read | open write ; late 5/call",
        "Two users write, each in a context of their own, one within the wait of the "
        "other, whose writing is over when the first one reads what is left.",
    ),
    Minimum("session-on-client", _ALONE, "open run[think] | open run[think]", _BOTH),
    Minimum(
        "session-to-next",
        _SESSIONS,
        "open run | open run[sleep] ; late 2/call 4/start",
        "Two users have a run in a context each, the second after the end of the "
        "first, as in plain order it is not, and under way when the answer comes.",
    ),
    Minimum(
        "shallow-template",
        _OWNERSHIP,
        "open run[think, state]",
        _TWO,
    ),
    Minimum(
        "shared-budget",
        _ALONE,
        "open run[think, think, think] | open run[sleep, think]",
        _BOTH,
    ),
    Minimum("shared-conversation", _OWNERSHIP, "open | open", _EACH),
    Minimum(
        "shared-retention",
        _ALONE,
        "open run read | open run[spawn, spawn]",
        "Of the two runs that are kept one is a run of the harmed user, who looks; "
        "the other user's one run has two children.",
    ),
    Minimum("shared-statistics", _OWNERSHIP, "open | open", _EACH),
    Minimum(
        "slashed-owner",
        _OWNERSHIP,
        "open run[remember, recall] | open run[sleep, recall]",
        _CACHED,
    ),
    Minimum("slashed-owner", _WRITES, "open run[recall, transact] read", _KEPT),
    Minimum("slot-taken", _OWNERSHIP, "open run[think] | open run[think]", _BOTH),
    Minimum(
        "started-after-all",
        _LIFECYCLE,
        "connect open run ; late 3/call",
        _TOLD_TWICE,
    ),
    Minimum(
        "started-after-all",
        _ROUTING,
        "connect open run ; late 3/call",
        _TOLD_TWICE,
    ),
    Minimum(
        "state-on-agent",
        _OWNERSHIP,
        "open run[think, set] | open run[sleep, state]",
        _BOTH,
    ),
    Minimum(
        "stored-again",
        _WRITES,
        "open write write ; late 2/call",
        "A value and the one that replaces it are written in a context; in plain order "
        "the answer comes before the end of the first write.",
    ),
    Minimum(
        "swept-unmarked",
        _WRITES,
        "open | open write ; late 1/call",
        "One user opens a context, and in another's there must be a write, which in "
        "plain order has not ended by then.",
    ),
    Minimum(
        "taken-back",
        _WRITES,
        "open run[remember] ; late 2/call",
        "What is taken back is stored by a run, which takes a context; in plain order "
        "the answer comes before its end.",
    ),
    Minimum(
        "taken-for-repeated",
        _WRITES,
        "open write | open write ; late 2/call",
        _CAME_AND_WENT,
    ),
    Minimum(
        "thread-only",
        _OWNERSHIP,
        "open run[remember, recall] | open run[sleep, recall]",
        _CACHED,
    ),
    Minimum("thread-only", _WRITES, "open run[recall, transact] read", _KEPT),
    Minimum(
        "taken-for-stranger",
        _ALONE,
        "connect!3e | connect",
        "Somebody leaves while being asked about, and another comes meanwhile.",
    ),
    Minimum(
        "ticket-passed",
        _ERRORS,
        "open run& run ; late 2/call",
        _WITHIN,
    ),
    Minimum(
        "ticket-passed",
        _TEARDOWN,
        "open run& run ; late 2/call",
        _WITHIN,
    ),
    Minimum("timer-left", _TEARDOWN, "open run", _TWO),
    Minimum("token-optional", _ROUTING, "forge", _ONE),
    Minimum("tools-to-all", _ROUTING, "connect | open run[sleep, echo]", _HEARD),
    Minimum(
        "tried-by-two",
        _SESSIONS,
        "open run | open run ; late 2/call",
        _CAME_AND_WENT,
    ),
    Minimum(
        "trimmed-id",
        _OWNERSHIP,
        "open run[remember, recall] | open run[sleep, recall]",
        _CACHED,
    ),
    Minimum("trimmed-id", _WRITES, "open run[recall, transact] read", _KEPT),
    Minimum(
        "truncated-id",
        _OWNERSHIP,
        "open run[remember, recall] | open run[sleep, recall]",
        _CACHED,
    ),
    Minimum("truncated-id", _WRITES, "open run[recall, transact] read", _KEPT),
    Minimum(
        "turn-of-nobody",
        _ROUTING,
        "connect forge | connect!3e ; late 1/call",
        _LEFT_IN_LINE,
    ),
    Minimum(
        "turn-lost",
        _ERRORS,
        "open read | open run& run!2",
        "Two must have sessions, one wait and be cancelled, and one wait behind, which "
        "can be a read's second session; and who is cancelled is another user.",
    ),
    Minimum(
        "turn-dropped",
        _ERRORS,
        "open run run | open run!2",
        "One user holds the turn, another waits and is cancelled as it is given, "
        "each in a context; and a third run waits for ever.",
    ),
    Minimum(
        "turn-dropped",
        _TEARDOWN,
        "open run run | open run!2",
        "One user holds the turn, another waits and is cancelled as it is given, "
        "each in a context; and a third run waits for ever.",
    ),
    Minimum(
        "turned-twice",
        _ERRORS,
        "open run& run& run ; late 2/call",
        "A run must wait while two others begin and end, in a context.",
    ),
    Minimum(
        "unchecked-run",
        _OWNERSHIP,
        "open | their-run",
        "A context, and a run in it of somebody else.",
    ),
    Minimum("unchecked-session", _OWNERSHIP, "open | their-read", _ANOTHER),
    Minimum(
        "unchecked-session",
        _ERRORS,
        "open run[sleep] | their-close",
        "A context, a run in it that is under way, and the end of the context.",
    ),
    Minimum("unchecked-session", _WRITES, "open | their-write", _ANOTHER),
    Minimum("waits-on", _ERRORS, "open run[echo, echo] | open run[echo]!1e", _IN_LINE),
    Minimum(
        "worker-keeps-context", _OWNERSHIP, "open run[slow] | open run[echo]", _BOTH
    ),
    Minimum("worker-keeps-context", _TOOLS, "open run[slow] | open run[echo]", _BOTH),
    Minimum(
        "written-later",
        _WRITES,
        "open run[broken]",
        _TWO,
    ),
)
