"""The smallest scenarios that show each planted fault, claim by claim.

The size of a scenario is its operations and decisions. A fault has one minimum for each
claim under which the search may find it, as shrinking never changes the claim. Each
test run executes every minimum and a sample of smaller scenarios; on demand the
enumerator searches all of them. The sentence beside a minimum argues why no smaller
scenario fails.
"""

from __future__ import annotations

from typing import NamedTuple

from tests.quality.enumerator import Names

__all__ = ["MINIMA", "NAMES", "Minimum"]


class Minimum(NamedTuple):
    """The minimum of a fault under a claim: its scenario, and the argument for it."""

    fault: str
    claim: str
    scenario: str
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
"""The identities and threads of the users where they matter; else `PLAIN`."""

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

_CACHED_BEFORE = (
    "A cached read must be older than a row stored by a transaction, and be read again."
)
_ONE = "Without an operation the engine does no work."
_TWO = "The fault shows in a context, which must be opened first."
_SHOWN = (
    "Two users hold one object, each in a context of their own: one must change it in "
    "a run, and the other be shown it by a read."
)
_ANOTHER = "A context, and a request in it of another user."
_BOTH = (
    "Two users must use the same resource, each in their own context: two contexts and "
    "two operations in them."
)
_OBSERVED = "One user is connected, and another needs a context and a run with events."
_CANCELLED = (
    "Two users must use the same resource. In plain order each leaves it intact, so "
    "one of them must be cancelled there."
)
_LEFT_IN_LINE = (
    "A client waits for its authentication, the client that leaves waits behind it, "
    "and a client with a forged token behind both. In plain order the first reply is "
    "too early."
)
_SELF = (
    "Two calls of one user in one context must be in flight at once, and one of them "
    "be cancelled or begin before the other is done."
)
_AT_ONCE = "Two calls must be in flight at once: a context, and two runs in it."
_BEHIND = (
    "One user holds the resource, another is cancelled when it gets it, and the next "
    "step of the first user's run waits behind: two contexts, two runs."
)
_IN_LINE = (
    "One user must wait behind the other and be cancelled there, and the first must "
    "call once more: with one call each, no caller comes afterwards."
)
_JOINED = (
    "Two users must wait for the same work, each in a context of their own, and the "
    "user whose cancellation ends it must be cancelled there."
)
_CAME_AND_WENT = (
    "Two users have an operation each, in a context of their own. In plain order "
    "neither completes it while the other waits for one reply."
)
_WITHIN = (
    "One run, in a context, must begin and end while another waits for one reply; in "
    "plain order both wait at once."
)
_CACHED = (
    "One user must store and read the row and the other read it; each needs a context "
    "and at least one operation in it."
)
_OUTLASTS = (
    "Two users need a context and a run each, and one reply must outlast the other's "
    "run; in plain order it comes long before."
)
_REPEATED = (
    "A run in a context, and a connection that receives the repeated event; in plain "
    "order the reply comes before the end."
)
MINIMA = (
    Minimum(
        "aborted-by-number",
        _ERRORS,
        "open run | open run[sleep] ; late 2/call 4/start",
        "Two users need a context and a run each: one run ends before its reply, the "
        "other begins then and is in flight at the reply, unlike in plain order.",
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
        "Two users write at the same moment, each in a context, as a batch holds "
        "the writes that arrive during the one before.",
    ),
    Minimum(
        "batch-refused",
        _OWNERSHIP,
        "open run[sleep, broken] | open run[sleep, remember]",
        "Two users write at the same moment, each in a context, as a batch holds "
        "the writes that arrive during the one before.",
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
    Minimum("broadcast-to-all", _ROUTING, "connect | open run", _OBSERVED),
    Minimum(
        "cancelled-closes-all", _ALONE, "open run[echo]!2 | open run[echo]", _CANCELLED
    ),
    Minimum(
        "cancelled-closes-all",
        _ERRORS,
        "open run[think]!2 | open run[think]",
        _CANCELLED,
    ),
    Minimum("cancelled-closes-all", _TOOLS, "open run[echo]& run[echo]!1e", _SELF),
    Minimum("checked-afterwards", _TOOLS, "open run[forbidden]", _TWO),
    Minimum(
        "cleared-afterwards",
        _TEARDOWN,
        "open run!1e | open run!1e",
        "Two users have a run in a context each, and both must be cancelled, as only "
        "the outcomes of cancelled runs are batched.",
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
        "open run | open run ; late 2/call",
        _CAME_AND_WENT,
    ),
    Minimum(
        "comes-back",
        _WRITES,
        "open write erase",
        "A context, a write, and an erase that the late write undoes.",
    ),
    Minimum("commit-on-error", _SESSIONS, "open run[break-off]", _TWO),
    Minimum(
        "confirmed-to-next",
        _OWNERSHIP,
        "open run[emit] | open run[sleep] ; late 2/call 4/start",
        "Two users need a context and a run each; at the reply one run has ended and "
        "the other is in flight. In plain order the reply comes in time.",
    ),
    Minimum(
        "counted-afterwards",
        _LIMITS,
        "open run[think]& run[think]& run[think]& run[think]",
        "A context, and one more run than the three that it may have at once.",
    ),
    Minimum(
        "counted-for-all",
        _ERRORS,
        "open open | open",
        "A user has the two allowed contexts, and another user without a context is "
        "refused the first.",
    ),
    Minimum(
        "counted-for-all",
        _LIMITS,
        "open open open | open",
        "A user with one context is refused the second if two others exist.",
    ),
    Minimum(
        "credential-cache", _TOOLS, "open run[echo] | open run[sleep, echo]", _BOTH
    ),
    Minimum("dead-next", _ERRORS, "open run[echo, echo] | open run[echo]!1e", _IN_LINE),
    Minimum(
        "deadline-of-nothing",
        _TEARDOWN,
        "open run ; late 2/call",
        "A deadline needs a run, and the run a context; in plain order the reply "
        "comes before the end of the run.",
    ),
    Minimum(
        "decision-cache",
        _TOOLS,
        "open run[forbidden, echo]",
        _TWO,
    ),
    Minimum("default-in-context", _OWNERSHIP, "open run[set] | open run[echo]", _BOTH),
    Minimum(
        "defaults-updated",
        _OWNERSHIP,
        "open | open read",
        "A context of each of two users, and a read in the later one.",
    ),
    Minimum(
        "done-unconfirmed",
        _TOOLS,
        "open run[echo] ; late 2/call",
        "A repeated call needs a run, and the run a context; in plain order the call "
        "is confirmed before the end of the run.",
    ),
    Minimum("each-statement", _SESSIONS, "open run[break-off]", _TWO),
    Minimum(
        "emptied-too-early",
        _ROUTING,
        "open run | connect open run ; late 2/call",
        "Two users have a run in a context each, one during a wait of the other, and "
        "the user of the shorter run must be connected to receive the events.",
    ),
    Minimum("end-overtakes", _LIFECYCLE, "connect open run ; late 3/call", _REPEATED),
    Minimum("end-overtakes", _ROUTING, "connect open run ; late 3/call", _REPEATED),
    Minimum(
        "ends-twice",
        _LIFECYCLE,
        "connect open run& cancel",
        "A run in a context, its cancellation, and a connection that receives two "
        "terminal events.",
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
        "A client leaves during its authentication, and a client with a forged token "
        "that connects meanwhile gets no refusal.",
    ),
    Minimum("folded-case", _OWNERSHIP, "open write | open run[sleep, recall]", _BOTH),
    Minimum("folded-case", _WRITES, "open write | open erase", _BOTH),
    Minimum("followers-left", _ERRORS, "open run[think]!2 | open run[think]", _JOINED),
    Minimum(
        "gate-left-shut",
        _TEARDOWN,
        "open run!2 run | open run!1e",
        "Two cancelled runs must overlap while they are stored and end in the order "
        "in which they began; each needs a context, and a third run waits at the gate.",
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
        "The same as for the call, and its user must be connected to receive events.",
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
    Minimum("joined-login", _ALONE, "open run[echo]!1e | open run[echo]", _CANCELLED),
    Minimum(
        "joined-login", _ERRORS, "open run[think]!1e | open run[think]", _CANCELLED
    ),
    Minimum("joined-login", _TOOLS, "open run[echo]& run[echo]!1e", _SELF),
    Minimum(
        "joined-logout",
        _TEARDOWN,
        "open leave | open leave ; late burst",
        "Two users with a context each log out at the same moment; in plain order "
        "one logout ends before the other begins.",
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
        _CACHED_BEFORE,
    ),
    Minimum(
        "joined-query",
        _OWNERSHIP,
        "open write read | open run[think] read",
        "Two contexts, a write, a read and a read that joins it, and a run that "
        "delays the latter until the row is stored.",
    ),
    Minimum(
        "joined-query",
        _WRITES,
        "open write read | open read",
        "Two contexts, a write, a read, and a read that joins it.",
    ),
    Minimum(
        "last-error",
        _OWNERSHIP,
        "open run[fail] read | open run[fail]",
        "Two contexts, two runs that fail at once, and a read that shows the error, "
        "as a failed run shows nothing more itself.",
    ),
    Minimum(
        "last-error",
        _ROUTING,
        "connect open run[fail] | connect open run[fail]",
        "Two contexts, two runs that fail at once, and a connection each: with a "
        "single connection its user's run comes too late.",
    ),
    Minimum(
        "last-registration-wins",
        _LIFECYCLE,
        "connect open run run[sleep]& connect",
        "A connection is certainly registered once it has received a run's events; "
        "the second connection must then come during another run.",
    ),
    Minimum(
        "last-registration-wins",
        _ROUTING,
        "connect open run connect run",
        "A connection is certainly registered once it has received a run's events; "
        "then a second connection, and a run whose events the first misses.",
    ),
    Minimum(
        "late-cleanup",
        _ROUTING,
        "connect open reconnect run[sleep] run",
        "A connection, a newer one that replaces it, and two runs in a context: one "
        "lasts until the late cleanup, and the other's events are lost.",
    ),
    Minimum(
        "left-in-queue",
        _ERRORS,
        "open run | open run& run& run!1e",
        "Three units hold slots, a fourth waits and is cancelled, and another user's "
        "unit leaves first: two contexts, four runs and the cancellation.",
    ),
    Minimum("left-open", _SESSIONS, "open run[break-off]", _TWO),
    Minimum("left-open", _TEARDOWN, "open run[break-off]", _TWO),
    Minimum("line-blocked", _ERRORS, "open run[slowly] | open run[think]", _BOTH),
    Minimum("line-blocked", _ALONE, "open run[think]!1e | open run[think]", _CANCELLED),
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
        "One client leaves during its authentication, and its reply is taken for the "
        "reply about a client with a forged token.",
    ),
    Minimum("lost-and-over", _LIFECYCLE, "connect open run ; late 2/call", _REPEATED),
    Minimum(
        "lost-in-compaction",
        _ERRORS,
        "open run | open run run ; late 2/call 5/start",
        "One user waits for a reply while another, in a context of theirs, counts one "
        "run; a second run of theirs begins after the reply, unlike in plain order.",
    ),
    Minimum("masked-owner", _ROUTING, "connect | open run", _OBSERVED),
    Minimum("metadata-alias", _WRITES, "open mutate", _TWO),
    Minimum(
        "name-believed",
        _ROUTING,
        "their-connect | open run",
        "A client that claims another user's name, and a context and a run of that "
        "user.",
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
        "A run in a context queues events, and a connection receives them.",
    ),
    Minimum(
        "newest-first",
        _ROUTING,
        "open run connect",
        "A run in a context queues events, and a connection receives them.",
    ),
    Minimum(
        "normalised-id",
        _OWNERSHIP,
        "open run[remember, recall] | open run[sleep, recall]",
        _CACHED,
    ),
    Minimum(
        "normalised-id", _WRITES, "open run[recall, transact] read", _CACHED_BEFORE
    ),
    Minimum(
        "not-queued",
        _ROUTING,
        "open connect run ; late 2/call",
        "A connection, a context and a run; in plain order the connection is "
        "registered before all of its events, or after all of them.",
    ),
    Minimum(
        "noted-for-next",
        _OWNERSHIP,
        "open run[emit] | open run[sleep] ; late 2/call/1 4/start",
        "Two users have a run in a context each. The second must begin after the end "
        "of the first and before a late note of the first, unlike in plain order.",
    ),
    Minimum(
        "number-like",
        _OWNERSHIP,
        "open run[remember, recall] | open run[sleep, recall]",
        _CACHED,
    ),
    Minimum("number-like", _WRITES, "open run[recall, transact] read", _CACHED_BEFORE),
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
        "A run that fails with its child, and another user's run that begins before "
        "and spawns afterwards, in a context each.",
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
        "A write in a context, and two concurrent runs that end during the write.",
    ),
    Minimum(
        "one-cookie-jar", _OWNERSHIP, "open run[think] | open run[sleep, think]", _BOTH
    ),
    Minimum(
        "one-cookie-jar", _ALONE, "open run[think] | open run[sleep, think]", _BOTH
    ),
    Minimum("one-dispatcher", _ALONE, "open read | open run[echo]", _SHOWN),
    Minimum("one-question", _ERRORS, "open run[slowly] | open run[think]", _BOTH),
    Minimum("one-queue", _ROUTING, "open run | connect", _OBSERVED),
    Minimum("one-run-table", _ERRORS, "open run | open their-cancel", _BOTH),
    Minimum("one-session", _SESSIONS, "open run | open run", _BOTH),
    Minimum("one-upstream", _ALONE, "open run[think] | open run[think]", _BOTH),
    Minimum(
        "over-is-anyones",
        _ROUTING,
        "connect | open run ; late 1/call 3/start",
        "One user is connected, and another needs a context and a run, which in plain "
        "order begins too early and ends too late.",
    ),
    Minimum(
        "over-unheard",
        _ROUTING,
        "connect open run ; late 1/call",
        "The client must connect before the run, which needs a context; in plain order "
        "it is identified before the run ends.",
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
    Minimum("permit-lost", _ERRORS, "open run[echo]!1e | open run[echo]", _CANCELLED),
    Minimum("permit-lost", _ALONE, "open run[echo]!1e | open run[echo]", _CANCELLED),
    Minimum(
        "prefix-cleanup",
        _ERRORS,
        "open run | leave",
        "A context, a run in flight in it, and the other user's cleanup.",
    ),
    Minimum("prefix-match", _OWNERSHIP, "open run[sleep, recall] | open write", _BOTH),
    Minimum("prompt-on-client", _OWNERSHIP, "open run[think] | open run[think]", _BOTH),
    Minimum(
        "read-before",
        _WRITES,
        "open write ; late 1/call",
        "The lost value is written in a context; in plain order the reply comes "
        "before the context is open.",
    ),
    Minimum(
        "reader-stalls-all",
        _ROUTING,
        "unread open run[large] | connect open run",
        "One user has a connection that does not read, a context, and a run that "
        "fills it; the other needs a connection, a context and a run.",
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
        "A run in a context emits the repeated event, and a connection receives it.",
    ),
    Minimum(
        "reply-to-next", _OWNERSHIP, "open run[think]!1e | open run[think]", _CANCELLED
    ),
    Minimum("reply-to-next", _ERRORS, "open run[slowly] | open run[think]", _BOTH),
    Minimum(
        "reply-to-next", _ALONE, "open run[think]!1e | open run[think]", _CANCELLED
    ),
    Minimum(
        "rest-untold", _ERRORS, "open run[think]!1e4 | open run[think]", _CANCELLED
    ),
    Minimum(
        "result-cache",
        _TOOLS,
        "open run[whoami-hello] | open run[sleep, whoami-hello]",
        _BOTH,
    ),
    Minimum(
        "result-to-next", _OWNERSHIP, "open run[slow]!1e | open run[slow]", _CANCELLED
    ),
    Minimum("result-to-next", _TOOLS, "open run[slow]&!1e run[slow]", _SELF),
    Minimum("returned-alias", _WRITES, "open mutate", _TWO),
    Minimum(
        "revoked-in-use",
        _TOOLS,
        "open run run[sleep, echo] ; late 2/call",
        "A context, a run that ends before its reply, and a run whose call is in "
        "flight at the reply; in plain order the reply comes in time.",
    ),
    Minimum(
        "run-goes-on",
        _LIFECYCLE,
        "connect open run& cancel",
        "A run in a context, its cancellation, and a connection that receives two "
        "terminal events.",
    ),
    Minimum(
        "running-again",
        _TEARDOWN,
        "open run ; late 2/call",
        "The run that is cleaned up in vain needs a context; in plain order the reply "
        "comes before its end.",
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
        "Two users write, each in a context of their own, one during a wait of the "
        "other. The first user reads after the other's write.",
    ),
    Minimum("session-on-client", _ALONE, "open run[think] | open run[think]", _BOTH),
    Minimum(
        "session-to-next",
        _SESSIONS,
        "open run | open run[sleep] ; late 2/call 4/start",
        "Two users have a run in a context each. The second must begin after the end "
        "of the first and be in flight at the reply, unlike in plain order.",
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
    Minimum("shared-conversation", _OWNERSHIP, "open read | open run[think]", _SHOWN),
    Minimum(
        "shared-retention",
        _ALONE,
        "open run read | open run[spawn, spawn]",
        "One of the two retained runs is a run of the harmed user, and a read shows "
        "the loss; the other user's run has two children.",
    ),
    Minimum("shared-statistics", _ALONE, "open read | open run[echo]", _SHOWN),
    Minimum(
        "slashed-owner",
        _OWNERSHIP,
        "open run[remember, recall] | open run[sleep, recall]",
        _CACHED,
    ),
    Minimum(
        "slashed-owner", _WRITES, "open run[recall, transact] read", _CACHED_BEFORE
    ),
    Minimum(
        "sleeps-in-call",
        _ERRORS,
        "connect | open run[think]",
        "A run that calls the model, its context, and another user's operation that is "
        "under way meanwhile.",
    ),
    Minimum("slot-taken", _OWNERSHIP, "open run[think] | open run[think]", _BOTH),
    Minimum(
        "started-after-all",
        _LIFECYCLE,
        "connect open run ; late 3/call",
        _REPEATED,
    ),
    Minimum(
        "started-after-all",
        _ROUTING,
        "connect open run ; late 3/call",
        _REPEATED,
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
        "A context, a write, and a write that replaces its value; in plain order the "
        "reply comes before the end of the first write.",
    ),
    Minimum(
        "swept-unmarked",
        _WRITES,
        "open | open write ; late 1/call",
        "One user opens a context, and another needs a context and a write, which in "
        "plain order has not ended by then.",
    ),
    Minimum(
        "taken-back",
        _WRITES,
        "open run[remember] ; late 2/call",
        "The deleted key is stored by a run, which needs a context; in plain order "
        "the reply comes before its end.",
    ),
    Minimum(
        "taken-for-repeated",
        _WRITES,
        "open write | open write ; late 2/call",
        _CAME_AND_WENT,
    ),
    Minimum("thread-lock", _ERRORS, "open run[echo] | open run[echo]", _BOTH),
    Minimum(
        "thread-only",
        _OWNERSHIP,
        "open run[remember, recall] | open run[sleep, recall]",
        _CACHED,
    ),
    Minimum("thread-only", _WRITES, "open run[recall, transact] read", _CACHED_BEFORE),
    Minimum(
        "taken-for-stranger",
        _ALONE,
        "connect!3e | connect",
        "A client leaves during its authentication, and another connects meanwhile.",
    ),
    Minimum(
        "ticket-passed",
        _ERRORS,
        "open run | open run ; late 2/call",
        _CAME_AND_WENT,
    ),
    Minimum(
        "ticket-passed",
        _TEARDOWN,
        "open run& run ; late 2/call",
        _WITHIN,
    ),
    Minimum("timer-left", _TEARDOWN, "open run", _TWO),
    Minimum("token-optional", _ROUTING, "forge", _ONE),
    Minimum("tools-to-all", _ROUTING, "connect | open run[sleep, echo]", _OBSERVED),
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
    Minimum("trimmed-id", _WRITES, "open run[recall, transact] read", _CACHED_BEFORE),
    Minimum(
        "truncated-id",
        _OWNERSHIP,
        "open run[remember, recall] | open run[sleep, recall]",
        _CACHED,
    ),
    Minimum("truncated-id", _WRITES, "open run[recall, transact] read", _CACHED_BEFORE),
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
        "Two units hold slots, a third of another user waits and is cancelled, and a "
        "fourth waits behind, which can be the second session of a read.",
    ),
    Minimum(
        "turn-dropped",
        _ERRORS,
        "open run run | open run!2",
        "One user holds the turn, another is cancelled at the moment of its turn, "
        "each in a context, and a third run waits for ever.",
    ),
    Minimum(
        "turn-dropped",
        _TEARDOWN,
        "open run run | open run!2",
        "One user holds the turn, another is cancelled at the moment of its turn, "
        "each in a context, and a third run waits for ever.",
    ),
    Minimum(
        "turned-twice",
        _ERRORS,
        "open run& run | open run ; late 2/call",
        "Two users need a context each, and one run must wait while two others begin "
        "and end.",
    ),
    Minimum(
        "unchecked-run",
        _OWNERSHIP,
        "open | their-run",
        "A context, and a run in it of another user.",
    ),
    Minimum("unchecked-session", _OWNERSHIP, "open | their-read", _ANOTHER),
    Minimum(
        "unchecked-session",
        _ERRORS,
        "open run[sleep] | their-close",
        "A context, a run in flight in it, and the end of the context.",
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
