"""The machine that writes scenarios; its rules only append operations."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from isolation_spec.model.scenario import (
    AdvanceTime,
    Cancellation,
    CancelRun,
    CollectGarbage,
    Connect,
    Disconnect,
    Emit,
    Erase,
    Mutate,
    Read,
    RunAgent,
    Scenario,
    Shutdown,
    User,
    Write,
    canary,
)
from isolation_spec.strategies import rule_weights
from isolation_spec.strategies.endings import FinalRound, final_rounds
from isolation_spec.strategies.identifiers import LABELS, threads
from isolation_spec.strategies.payloads import sign
from isolation_spec.strategies.scenario_builder import Classes, ScenarioBuilder
from isolation_spec.strategies.schedules import (
    SearchParameters,
    cancellations,
    classes,
    searches,
)
from isolation_spec.strategies.scripts import KEYS
from isolation_spec.strategies.sync_members import refuse_async_members

__all__ = ["IsolationMachine"]

_ANY = st.integers(0, 15)


class IsolationMachine(ScenarioBuilder, RuleBasedStateMachine):
    """Writes one scenario of 2 to 6 users, or of a crowd, and hands it over finished.

    Every user begins with a context and a run in it. Most begin connected: a user
    without a connection cannot miss an event. The rest is drawn. Preconditions read the
    model alone.

    Attributes:
        examine: takes the finished scenario and the parameters of its search.
        is_crowded: whether there are ten users more.
    """

    examine: Callable[[Scenario, SearchParameters], None]
    is_crowded = False

    def __init_subclass__(cls, **options: Any) -> None:
        """Refuses async members, which would never run."""
        super().__init_subclass__(**options)
        refuse_async_members(cls)

    # Set-up; no rule, as swarm testing switches off whole rules

    @initialize(
        count=st.sampled_from(rule_weights.USERS),
        connections=st.tuples(
            *(st.sampled_from(rule_weights.CONNECTIONS) for _ in range(6))
        ),
        background=st.tuples(*(st.booleans() for _ in range(6))),
        threads=st.tuples(*(threads() for _ in range(6))),
        alike=st.booleans(),
        leaver=st.integers(0, rule_weights.LEAVER_NUMBERS - 1),
        leaving=st.sampled_from(rule_weights.LEAVING),
        slow_user=st.integers(0, rule_weights.SLOW_USER_NUMBERS - 1),
        final_round=final_rounds(),
        search=searches(),
    )
    def begin(
        self,
        count: int,
        connections: tuple[int, ...],
        background: tuple[bool, ...],
        threads: tuple[str, ...],
        alike: bool,
        leaver: int,
        leaving: Cancellation | None,
        slow_user: int,
        final_round: FinalRound,
        search: SearchParameters,
    ) -> None:
        """The users, each with a context and a run; perhaps all ask for the same, or
        one of them leaves at once and comes again."""
        self.search, self.final_round, self.slow_user = search, final_round, slow_user
        count += rule_weights.CROWD * self.is_crowded
        self.users = tuple(User(label=label, id=label) for label in LABELS[:count])
        for user in range(len(self.users)):
            self.contexts.append([])
            self.connections.append([])
            self.runs.append([])
            if user == leaver:
                self._come_and_go(user, leaving)
            for _ in range(connections[user % len(connections)]):
                self._connect(user, None)
            self._open_context(user, threads[user % len(threads)], None)
            self._run(
                user,
                self.contexts[user][0],
                4,
                background[user % len(background)],
                None,
                alike=alike,
            )

    # Rules

    @rule(user=_ANY, cancel=cancellations(), classes=classes())
    def connect(self, user: int, cancel: Cancellation | None, classes: Classes) -> None:
        """One more connection of a user."""
        self._connect(self._user(user), cancel, classes)

    @rule(user=_ANY, victim=_ANY, forged=st.booleans(), classes=classes())
    def claim_to_be(
        self, user: int, victim: int, forged: bool, classes: Classes
    ) -> None:
        """A client names another user, with a token of its own or a forged one."""
        user = self._user(user)
        number = self._number(classes)
        self.operations.append(
            Connect(
                id=number,
                user=user,
                connection=f"c{number}",
                victim=self._other(user, victim),
                forged=forged,
            )
        )

    @precondition(lambda self: any(self.contexts))
    @rule(
        user=_ANY,
        victim=_ANY,
        pick=_ANY,
        then=st.tuples(*(st.sampled_from(rule_weights.INTRUSIONS) for _ in range(2))),
        classes=classes(),
    )
    def intrude(
        self,
        user: int,
        victim: int,
        pick: int,
        then: tuple[str, ...],
        classes: Classes,
    ) -> None:
        """A user asks for a run in another's context, then for more of another's."""
        victim = self._user_with(self.contexts, victim)
        user = self._other(victim, user)
        context = self._pick(self.contexts[victim], pick)
        number = self._number(classes)
        self.operations.append(
            RunAgent(
                id=number,
                user=user,
                context=context,
                script=self._script(3, user, number),
                victim=victim,
            )
        )
        for kind in dict.fromkeys(then):
            self._intrude_further(kind, user, victim, context, pick, classes)

    @precondition(lambda self: any(self.connections))
    @rule(user=_ANY, pick=_ANY, abrupt=st.booleans(), classes=classes())
    def disconnect(self, user: int, pick: int, abrupt: bool, classes: Classes) -> None:
        """A connection is closed or lost."""
        user = self._user_with(self.connections, user)
        name = self._take(self.connections[user], pick)
        number = self._number(classes)
        self.operations.append(
            Disconnect(id=number, user=user, connection=name, abrupt=abrupt)
        )

    @precondition(lambda self: any(self.connections))
    @rule(user=_ANY, pick=_ANY, cancel=cancellations(), classes=classes())
    def reconnect(
        self, user: int, pick: int, cancel: Cancellation | None, classes: Classes
    ) -> None:
        """A new connection is opened before the old one closes."""
        user = self._user_with(self.connections, user)
        self._reconnect(user, pick, cancel, classes)

    @rule(user=_ANY, thread=threads(), cancel=cancellations(), classes=classes())
    def open_context(
        self, user: int, thread: str, cancel: Cancellation | None, classes: Classes
    ) -> None:
        """One more context of a user."""
        self._open_context(self._user(user), thread, cancel, classes)

    @precondition(lambda self: any(self.contexts))
    @rule(
        user=_ANY,
        pick=_ANY,
        background=st.booleans(),
        alike=st.booleans(),
        cancel=cancellations(),
        classes=classes(),
    )
    def run_agent(
        self,
        user: int,
        pick: int,
        background: bool,
        alike: bool,
        cancel: Cancellation | None,
        classes: Classes,
    ) -> None:
        """A scripted agent runs, perhaps with the script that others have had."""
        user, context = self._user_and_context(user, pick)
        self._run(user, context, 4, background, cancel, classes, alike=alike)

    @precondition(lambda self: any(self.contexts))
    @rule(
        user=_ANY,
        pick=_ANY,
        then=st.sampled_from(("cancel", "clean up", "reconnect")),
        classes=classes(),
    )
    def interrupt_run(
        self,
        user: int,
        pick: int,
        then: str,
        classes: Classes,
    ) -> None:
        """A scripted agent runs, and its user does not let it finish in peace."""
        user, context = self._user_and_context(user, pick)
        self._run(user, context, 5, True, None)
        if then == "cancel":
            run = self.runs[user][-1]
            number = self._number(classes)
            self.operations.append(CancelRun(id=number, user=user, run=run))
        elif then == "clean up":
            self._clean_up(user, context, None, classes)
        elif self.connections[user]:
            self._reconnect(user, pick, None, classes)

    @precondition(lambda self: any(self.contexts))
    @rule(user=_ANY, pick=_ANY, classes=classes())
    def stop_reading(self, user: int, pick: int, classes: Classes) -> None:
        """A client that never reads is sent more data than the buffers hold, while
        agents of other users run."""
        user = self._user_with(self.contexts, user)
        number = self._number(classes)
        connect = Connect(id=number, user=user, connection=f"c{number}", unread=True)
        self.operations.append(connect)
        self.connections[user].append(f"c{number}")
        context = self._pick(self.contexts[user], pick)
        number = self._number(())
        large = Emit(payload="", large=True)
        script = sign((large, large), self.users[user].label, number)
        self.runs[user].append(number)
        self.operations.append(
            RunAgent(id=number, user=user, context=context, script=script)
        )
        for other, contexts in enumerate(self.contexts):
            if other != user and contexts:
                self._run(other, contexts[0], 2, False, None)

    @precondition(lambda self: any(self.contexts))
    @rule(user=_ANY, pick=_ANY, opening=st.booleans(), classes=classes())
    def crowd(self, user: int, pick: int, opening: bool, classes: Classes) -> None:
        """A user asks for more contexts, or more runs in one, than engines allow."""
        user, context = self._user_and_context(user, pick)
        for _ in range(3):
            if opening:
                self._open_context(user, "t", None, classes)
            else:
                self._run(user, context, 3, True, None, classes)

    @precondition(lambda self: sum(map(bool, self.contexts)) > 1)
    @rule(
        user=_ANY,
        pick=_ANY,
        running=st.booleans(),
        then=st.sampled_from(("look", "store", "erase", "fail")),
        classes=classes(),
    )
    def meet(
        self, user: int, pick: int, running: bool, then: str, classes: Classes
    ) -> None:
        """A user stores a value; the next one, at a place of theirs that has the same
        name or nearly, looks, stores, erases or fails to store; both look in the
        end."""
        user = self._user_with(self.contexts, user)
        other = self._user_with(self.contexts, user + 1)
        key = self._pick(list(KEYS), pick)
        self._store(user, key, running, classes)
        if then == "erase":
            context = self.contexts[other][0]
            number = self._number(classes)
            self.operations.append(Erase(id=number, user=other, context=context))
        elif then in ("store", "fail"):
            self._store(other, key, not running, classes, broken=then == "fail")
        for one in (other, user):
            self._look(one, key, running, classes)

    @precondition(lambda self: any(self.runs))
    @rule(user=_ANY, pick=_ANY, classes=classes())
    def cancel_run(self, user: int, pick: int, classes: Classes) -> None:
        """A user asks for one of their runs to be cancelled."""
        user = self._user_with(self.runs, user)
        run = self._pick(self.runs[user], pick)
        number = self._number(classes)
        self.operations.append(CancelRun(id=number, user=user, run=run))

    @precondition(lambda self: any(self.contexts))
    @rule(user=_ANY, pick=_ANY, cancel=cancellations(), classes=classes())
    def read(
        self, user: int, pick: int, cancel: Cancellation | None, classes: Classes
    ) -> None:
        """A user reads all that they can."""
        user, context = self._user_and_context(user, pick)
        number = self._number(classes)
        self.operations.append(
            Read(id=number, user=user, context=context, cancel=cancel)
        )

    @precondition(lambda self: any(self.contexts))
    @rule(
        user=_ANY,
        pick=_ANY,
        key=st.sampled_from(KEYS),
        cancel=cancellations(),
        classes=classes(),
    )
    def write(
        self,
        user: int,
        pick: int,
        key: str,
        cancel: Cancellation | None,
        classes: Classes,
    ) -> None:
        """A user stores a value."""
        user, context = self._user_and_context(user, pick)
        number = self._number(classes)
        self.operations.append(
            Write(
                id=number,
                user=user,
                context=context,
                key=key,
                value=canary(self.users[user].label, number, 1),
                cancel=cancel,
            )
        )

    @precondition(lambda self: any(self.contexts))
    @rule(user=_ANY, pick=_ANY, classes=classes())
    def mutate(self, user: int, pick: int, classes: Classes) -> None:
        """A user changes the objects that they were given, and looks again."""
        user, context = self._user_and_context(user, pick)
        number = self._number(classes)
        value = canary(self.users[user].label, number, 1)
        self.operations.append(
            Mutate(id=number, user=user, context=context, value=value)
        )

    @precondition(lambda self: any(self.contexts))
    @rule(user=_ANY, pick=_ANY, cancel=cancellations(), classes=classes())
    def erase(
        self, user: int, pick: int, cancel: Cancellation | None, classes: Classes
    ) -> None:
        """A user erases the values of a thread of theirs."""
        user, context = self._user_and_context(user, pick)
        number = self._number(classes)
        self.operations.append(
            Erase(id=number, user=user, context=context, cancel=cancel)
        )

    @precondition(lambda self: any(self.contexts))
    @rule(user=_ANY, pick=_ANY, cancel=cancellations(), classes=classes())
    def cleanup_engine(
        self, user: int, pick: int, cancel: Cancellation | None, classes: Classes
    ) -> None:
        """One context of a user is cleaned up."""
        user, context = self._user_and_context(user, pick)
        self._clean_up(user, context, cancel, classes)

    @rule(user=_ANY, cancel=cancellations(), classes=classes())
    def cleanup_user(
        self, user: int, cancel: Cancellation | None, classes: Classes
    ) -> None:
        """Everything of a user is cleaned up."""
        self._leave(self._user(user), cancel, classes)

    @rule(
        seconds=st.sampled_from(rule_weights.WAITS),
        stalled=st.booleans(),
        collecting=st.integers(0, 1),
    )
    def wait(self, seconds: float, stalled: bool, collecting: int) -> None:
        """Time passes; seldom, as it is slow beside a run, garbage is collected too."""
        number = self._number(())
        self.operations.append(AdvanceTime(id=number, seconds=seconds, stalled=stalled))
        if collecting and not self.has_collected:
            self.has_collected = True
            self.operations.append(CollectGarbage(id=self._number(())))

    @precondition(lambda self: not self.is_shut_down)
    @rule(chance=st.integers(0, rule_weights.SHUTDOWN_ONE_OF - 1), classes=classes())
    def shutdown(self, chance: int, classes: Classes) -> None:
        """The engine is shut down under its users; seldom, as nothing happens after
        it."""
        if chance == rule_weights.SHUTDOWN_ONE_OF - 1:
            self.is_shut_down = True
            self.operations.append(Shutdown(id=self._number(classes)))

    # The end

    def teardown(self) -> None:
        """Hands the scenario over, unless an error is under way already."""
        if sys.exc_info()[0] is None and self.users:
            self._end()
            self.examine(self.scenario(), self.search)
