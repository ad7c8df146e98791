"""Weights of the rules of the machine, and of its set-up.

A value that stands twice in a tuple is drawn twice as often. No weight in this module
was measured by itself, except where a figure says so.
"""

from __future__ import annotations

from isolation_spec.model.scenario import Cancellation

__all__ = [
    "CONNECTIONS",
    "CROWD",
    "INTRUSIONS",
    "LEAVER_NUMBERS",
    "LEAVING",
    "SHUTDOWN_ONE_OF",
    "SLOW_USER_NUMBERS",
    "USERS",
    "WAITS",
]

USERS = (2, 3, 3, 4, 4, 5, 5, 6)
"""Numbers of users. Two suffice for most races; but four have six pairs, each of which
may meet, for twice the cost. The first value is only in the smallest workload, as
Hypothesis makes each further example differ in its first choice: of 600 workloads 1 had
two users, 173 three, 164 four, 181 five and 81 six."""
CROWD = 10
"""Further users of a crowd, which has 16 at most."""
CONNECTIONS = (1, 1, 2, 0)
"""Connections of a user at the beginning. Events of a user with two must reach both; a
user with no connection must not keep others from their events."""
LEAVER_NUMBERS = 12
"""One of so many numbers names a user that leaves during set-up, most of them no user:
about a third of the scenarios of four users has one."""
LEAVING = (
    Cancellation(step=3, after_step=True),
    Cancellation(step=3, after_step=True),
    Cancellation(step=2, after_step=True),
    Cancellation(step=4),
    None,
)
"""How that client leaves: at a step of its handshake, before the server knows its user
or as soon as it does; None for just after the handshake."""
SLOW_USER_NUMBERS = 12
"""One of so many numbers names the slow user, most of them no user: of 600 workloads,
35 % had one. A slow answer shows users that wait for another's; the run is longer."""
INTRUSIONS = ("cancel", "cancel", "read", "write", "mutate", "erase", "clean up")
"""Requests of an intruder after a run; each names a run or context of another user."""
WAITS = (0.1, 1.0, 6.0, 31.0, 301.0)
"""Virtual seconds that pass at once: within a run, and beyond the limits of the
reference engine, which are 5 for a clean-up, 30 for a run and 300 for a context."""
SHUTDOWN_ONE_OF = 4
"""Of so many shut-downs that Hypothesis draws, one is written: no operation after it
reaches the engine."""
