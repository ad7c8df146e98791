"""A scenario while it is written: its operations so far, and how more are added."""

from __future__ import annotations

from typing import Any

import msgspec

from isolation_spec.model.scenario import (
    SLOW,
    CallTool,
    Cancellation,
    CancelRun,
    Chain,
    CleanupEngine,
    CleanupUser,
    Connect,
    Disconnect,
    Erase,
    Mutate,
    OpenContext,
    Operation,
    Read,
    Recall,
    Reconnect,
    Remember,
    RunAgent,
    Scenario,
    Schedule,
    Sleep,
    Step,
    Think,
    User,
    Write,
    canary,
)
from isolation_spec.strategies.endings import Ending, FinalRound
from isolation_spec.strategies.identifiers import LABELS
from isolation_spec.strategies.payloads import sign
from isolation_spec.strategies.schedules import CHAINS, SearchParameters
from isolation_spec.strategies.scripts import COMMON, KEYS, script
from isolation_spec.strategies.streams import Stream, random_stream

__all__ = ["Classes", "ScenarioBuilder"]

Classes = tuple[int, ...]
_PAUSE = Sleep(seconds=2.0)


class ScenarioBuilder:
    """The operations so far, and the contexts, connections and runs of each user.

    Attributes:
        contexts, connections: the names of each user's, in the order of users.
        runs: the numbers of each user's runs.
        classes: chain -> class, where one was drawn.
        search: drawn once for the scenario.
        final_round: the choices at its end.
        slow_user: the user whose model is slow, if there is one of that number.
    """

    def __init__(self) -> None:
        super().__init__()
        self.users: tuple[User, ...] = ()
        self.operations: list[Operation] = []
        self.contexts: list[list[str]] = []
        self.connections: list[list[str]] = []
        self.runs: list[list[int]] = []
        self.classes: dict[str, int] = {}
        self.search = SearchParameters((), 0, False, 0)
        self.final_round = FinalRound()
        self.slow_user = len(LABELS)
        self.has_collected = self.is_shut_down = False

    # The whole

    def scenario(self) -> Scenario:
        """The scenario as written so far; users are called by their labels."""
        schedule = Schedule(
            classes=self.classes, burst=self.search.burst, split=self.search.split
        )
        operations = tuple(self.operations)
        return Scenario(users=self.users, operations=operations, schedule=schedule)

    def _end(self) -> None:
        """Adds the final round that was drawn.

        In it everybody pauses, asks their model and a tool, and reads. The pause is an
        agent's sleep: virtual time passes once all other tasks wait.
        """
        final = self.final_round
        if self.is_shut_down or final.ending is Ending.NONE:
            return
        stored = (Remember(key=KEYS[0], value=""),) if final.stores else ()
        same_question = final.same_question and self.slow_user >= len(self.users)
        question = Think(prompt=COMMON if same_question else "")
        tool = CallTool(tool=final.tool, argument="")
        present = [user for user, contexts in enumerate(self.contexts) if contexts]
        for user in present:
            context, number = self.contexts[user][0], self._number(())
            script = self._signed((*stored, _PAUSE, question, tool), user, number)
            self.operations.append(
                RunAgent(id=number, user=user, context=context, script=script)
            )
        for user in present:
            read = Read(id=self._number(()), user=user, context=self.contexts[user][0])
            self.operations.append(read)
        if final.ending is Ending.INTRUSION and present:
            self._intrude_at_the_end(final)
        if final.ending is Ending.DEPARTURE:
            for user in range(len(self.users)):
                self._leave_at_work(user)

    def _leave_at_work(self, user: int) -> None:
        """The user is cleaned up while an agent of theirs sleeps."""
        if not self.contexts[user]:
            self._open_context(user, "t", None)
        run = RunAgent(
            id=self._number(()),
            user=user,
            context=self.contexts[user][0],
            script=(_PAUSE,),
            background=True,
        )
        self.operations.append(run)
        self._leave(user, None)

    def _intrude_at_the_end(self, final: FinalRound) -> None:
        """A user reads a context of another, when all work is over."""
        victim = self._user_with(self.contexts, final.victim)
        read = Read(
            id=self._number(()),
            user=self._other(victim, final.intruder),
            context=self.contexts[victim][0],
            victim=victim,
        )
        self.operations.append(read)

    # Operations

    def _number(self, classes: Classes) -> int:
        number = len(self.operations) + 1
        for kind, drawn in zip(CHAINS, classes, strict=False):
            if drawn:
                self.classes[Chain.text(number, kind)] = drawn
        return number

    def _intrude_further(
        self,
        then: str,
        user: int,
        victim: int,
        context: str,
        pick: int,
        classes: Classes,
    ) -> None:
        """One more request that names a run or a context of the victim's."""
        if then == "cancel" and not self.runs[victim]:
            return
        number = self._number(classes)
        value = canary(self.users[user].label, number, 1)
        named: dict[str, Any] = {"id": number, "user": user, "victim": victim}
        match then:
            case "cancel":
                run = self._pick(self.runs[victim], -1 - pick)
                self.operations.append(CancelRun(run=run, **named))
            case "read":
                self.operations.append(Read(context=context, **named))
            case "write":
                key = self._pick(list(KEYS), pick)
                write = Write(context=context, key=key, value=value, **named)
                self.operations.append(write)
            case "mutate":
                mutate = Mutate(context=context, value=value, **named)
                self.operations.append(mutate)
            case "erase":
                self.operations.append(Erase(context=context, **named))
            case _:
                self.operations.append(CleanupEngine(context=context, **named))

    def _connect(
        self, user: int, cancel: Cancellation | None, classes: Classes = ()
    ) -> None:
        number = self._number(classes)
        name = f"c{number}"
        self.connections[user].append(name)
        self.operations.append(
            Connect(id=number, user=user, connection=name, cancel=cancel)
        )

    def _come_and_go(self, user: int, leaving: Cancellation | None) -> None:
        self._connect(user, leaving)
        name = self.connections[user].pop()
        if leaving is None:
            number = self._number(())
            self.operations.append(
                Disconnect(id=number, user=user, connection=name, abrupt=True)
            )

    def _open_context(
        self,
        user: int,
        thread: str,
        cancel: Cancellation | None,
        classes: Classes = (),
    ) -> None:
        number = self._number(classes)
        name = f"x{number}"
        self.contexts[user].append(name)
        self.operations.append(
            OpenContext(
                id=number, user=user, context=name, thread=thread, cancel=cancel
            )
        )

    def _reconnect(
        self, user: int, pick: int, cancel: Cancellation | None, classes: Classes
    ) -> None:
        replaced = self._take(self.connections[user], pick)
        number = self._number(classes)
        name = f"c{number}"
        self.connections[user].append(name)
        self.operations.append(
            Reconnect(
                id=number, user=user, connection=name, replaces=replaced, cancel=cancel
            )
        )

    def _clean_up(
        self, user: int, context: str, cancel: Cancellation | None, classes: Classes
    ) -> None:
        self.contexts[user].remove(context)
        number = self._number(classes)
        self.operations.append(
            CleanupEngine(id=number, user=user, context=context, cancel=cancel)
        )

    def _leave(
        self, user: int, cancel: Cancellation | None, classes: Classes = ()
    ) -> None:
        self.contexts[user].clear()
        number = self._number(classes)
        self.operations.append(CleanupUser(id=number, user=user, cancel=cancel))

    def _run(
        self,
        user: int,
        context: str,
        most: int,
        background: bool,
        cancel: Cancellation | None,
        classes: Classes = (),
        *,
        alike: bool = False,
    ) -> None:
        number = self._number(classes)
        self.runs[user].append(number)
        self.operations.append(
            RunAgent(
                id=number,
                user=user,
                context=context,
                script=self._script(most, user, number, alike=alike),
                background=background,
                cancel=cancel,
            )
        )

    def _store(
        self,
        user: int,
        key: str,
        running: bool,
        classes: Classes,
        *,
        broken: bool = False,
    ) -> None:
        """The user stores a value in their first context, in a run or outside; a broken
        one in a run."""
        context, number = self.contexts[user][0], self._number(classes)
        value = canary(self.users[user].label, number, 1)
        named: dict[str, Any] = {"id": number, "user": user, "context": context}
        self.operations.append(
            RunAgent(script=(Remember(key=key, value=value, broken=broken),), **named)
            if running or broken
            else Write(key=key, value=value, **named)
        )

    def _look(self, user: int, key: str, running: bool, classes: Classes) -> None:
        """The user looks at a value in their first context, in a run or outside."""
        context, number = self.contexts[user][0], self._number(classes)
        named: dict[str, Any] = {"id": number, "user": user, "context": context}
        self.operations.append(
            RunAgent(script=(Recall(key=key),), **named) if running else Read(**named)
        )

    def _script(
        self, most: int, user: int, number: int, *, alike: bool = False
    ) -> tuple[Step, ...]:
        """A signed script of its own; all scripts that are `alike` have equal steps."""
        chance = random_stream(Stream.SCRIPT, self.search.seed, 0 if alike else number)
        return self._signed(script(chance, most), user, number)

    def _signed(
        self, steps: tuple[Step, ...], user: int, number: int
    ) -> tuple[Step, ...]:
        """The script with canaries of its own; the slow user's model answers late.

        A common question is answered at once: the others wait for a slow answer only
        if the engine makes them.
        """
        signed = sign(steps, self.users[user].label, number)
        if self.slow_user != user:
            return signed
        return tuple(
            msgspec.structs.replace(step, seconds=SLOW)
            if isinstance(step, Think) and step.prompt != COMMON
            else step
            for step in signed
        )

    def _user(self, drawn: int) -> int:
        return drawn % len(self.users)

    def _other(self, user: int, drawn: int) -> int:
        """A user other than this one."""
        count = len(self.users)
        return (user + 1 + drawn % (count - 1)) % count

    def _user_with(self, has: list[Any], drawn: int) -> int:
        """The first user from the drawn one on for whom `has` is not empty."""
        count = len(self.users)
        order = (((drawn % count) + n) % count for n in range(count))
        return next(user for user in order if has[user])

    def _user_and_context(self, drawn: int, pick: int) -> tuple[int, str]:
        """The first user from the drawn one on with a context, and one of theirs."""
        user = self._user_with(self.contexts, drawn)
        return user, self._pick(self.contexts[user], pick)

    @staticmethod
    def _pick(names: list[Any], drawn: int) -> Any:
        return names[drawn % len(names)]

    @staticmethod
    def _take(names: list[Any], drawn: int) -> Any:
        return names.pop(drawn % len(names))
