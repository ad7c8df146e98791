"""An adapter alone: working, missing and broken methods, and likely oversights."""

import asyncio
import importlib
import itertools
import re
import signal
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from isolation_spec.adapter_check.check import assert_adapter_works, check_adapter
from isolation_spec.adapter_check.result import MethodResult
from isolation_spec.contract.adapter import Adapter, Row
from isolation_spec.contract.errors import AdapterError, NotImplementedYet
from isolation_spec.engines.reference.adapter import ReferenceAdapter
from isolation_spec.engines.registry import find_engine, own_engine

STRANGERS = Path(__file__).parents[1] / "strangers"
COUNT = itertools.count()


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(STRANGERS))
    return importlib.import_module("notebook")


def checks(make: Callable[[], Adapter]) -> list[MethodResult]:
    found: list[MethodResult] = []
    check_adapter(own_engine(make), found.append, lambda _: None)
    return found


def changed(notebook: ModuleType, **members: Any) -> type[Adapter]:
    """The notebook's adapter with these members instead."""
    return type("Changed", (notebook.NotebookAdapter,), members)


def noted(found: list[MethodResult], method: str, status: str) -> str:
    """Returns the notes on the method with that status; fails without one."""
    notes = [one.note for one in found if (one.method, one.status) == (method, status)]
    assert notes, [one for one in found if one.status != "ok"]
    return " ".join(notes)


# In order


@pytest.mark.parametrize("which", ["reference", "notebook"])
def test_a_correct_adapter_gets_no_hint(notebook: ModuleType, which: str) -> None:
    """Every method is in order or not declared; no hint, nothing broken."""
    adapter = notebook.NotebookAdapter if which == "notebook" else ReferenceAdapter
    found = checks(adapter)

    assert {"ok", "not exercised"} >= {one.status for one in found}
    methods = {one.method for one in found if one.status == "ok"}
    assert {
        "start",
        "open_context",
        "run_agent",
        "agent: think",
        "read",
        "write",
        "observe",
        "erase",
        "cancel_run",
        "shared",
        "cleanup_context",
        "cleanup_user",
        "shutdown",
        "read of another's",
        "erase of another's",
        "cancel_run of another's",
        "the end",
        "the same twice",
    } <= methods


def test_an_undeclared_capability_is_not_exercised(notebook: ModuleType) -> None:
    """A method of an undeclared capability is reported with the capability."""
    found = checks(notebook.NotebookAdapter)

    note = noted(found, "connect", "not exercised")
    assert "'connections' is not declared" == note


# Wrong


async def _nothing(self: Any, *_: Any) -> None:
    pass


async def _raising(self: Any, *_: Any) -> None:
    raise OSError("port taken")


async def _waiting(self: Any, *_: Any) -> None:
    await asyncio.get_running_loop().create_future()


async def _unwritten(self: Any, *_: Any) -> None:
    """Close it."""
    raise NotImplementedYet


async def _leaving(self: Any, *_: Any) -> None:
    raise SystemExit(3)


async def _listed(self: Any, *_: Any) -> Any:
    return ["a", "b"]


async def _performing_for_nothing(
    self: Any, user: str, context: Any, agent: Any
) -> Any:
    from notebook import Desk

    await agent.perform(Desk(self.notebook, context))


def _nobodys(self: Any) -> Iterable[Row]:
    return ()


def _denying(self: Any, *_: Any) -> Any:
    raise PermissionError("not yours")


BROKEN: dict[str, tuple[str, Any, str, tuple[str, ...]]] = {
    "raises": ("start", _raising, "start", ("Changed.start", "port taken")),
    "no handle": ("open_context", _nothing, "open_context", ("handle", "None")),
    "never performed": ("run_agent", _nothing, "run_agent", ("never performed",)),
    "no result": (
        "run_agent",
        _performing_for_nothing,
        "agent: the result",
        ("return the engine's result of the run",),
    ),
    "shape": ("read", _listed, "read", ("must return a mapping", "list")),
    "waits": ("read", _waiting, "read", ("Changed.read", "did not return within")),
    "leaves": ("cleanup_user", _leaving, "the process", ("SystemExit", "cleanup_user")),
    "observes nothing": ("observe", _nobodys, "observe", ("which write stored",)),
    "no erasure": ("erase", _nothing, "erase", ("left 2 rows",)),
    "no cancel": ("cancel_run", _nothing, "cancel_run", ("did not end the run",)),
    "denies": ("read", _denying, "read", ("PermissionError", "must be granted")),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_method_is_reported_with_the_code_to_write(
    notebook: ModuleType, case: str
) -> None:
    """The note names the method, its mistake and the code to write."""
    member, instead, method, words = BROKEN[case]
    found = checks(changed(notebook, **{member: instead}))

    note = noted(found, method, "breaks")
    for word in words:
        assert word in note


def test_a_method_to_write_is_reported_with_its_docstring(notebook: ModuleType) -> None:
    """The note on a method to write is its docstring."""
    adapter = changed(notebook, cleanup_user=_unwritten)
    found = checks(adapter)

    note = noted(found, "cleanup_user", "not written")
    assert "Changed.cleanup_user is not written yet: Close it." == note
    with pytest.raises(AdapterError, match="is not written yet: Close it"):
        assert_adapter_works(adapter)


def test_methods_after_a_missing_one_are_not_exercised(
    notebook: ModuleType,
) -> None:
    """Without a start no other method is exercised."""
    found = checks(changed(notebook, start=_raising))

    assert 1 == sum(one.status == "breaks" for one in found)
    assert {"breaks", "not exercised"} == {one.status for one in found}


# Hints


def _opened(notebook: ModuleType) -> Any:
    def require(self: Any, session: Any, user: str) -> None:
        pass

    return type("Open", (notebook.Notebook,), {"require": require})


def test_a_value_of_another_is_shown_to_be_the_engines(notebook: ModuleType) -> None:
    """A granted request that shows another's value is named, with the value."""
    found = checks(changed(notebook, engine_class=_opened(notebook)))

    note = noted(found, "read of another's", "engine")
    assert "showed bob alice~" in note
    assert "reports it under context-ownership" in note
    assert not [one for one in found if one.status in ("breaks", "hint")]


def _keyed(notebook: ModuleType) -> dict[str, Any]:
    """The members of an adapter whose engine keys everything by user and session."""

    def own(self: Any, user: str, context: Any) -> Any:
        return next(
            one
            for one in self.notebook.sessions
            if (one.user, one.thread) == (user, context.thread)
        )

    def member(name: str) -> Any:
        method = getattr(notebook.NotebookAdapter, name)

        async def call(self: Any, user: str, context: Any, *rest: Any) -> Any:
            return await method(self, user, own(self, user, context), *rest)

        return call

    return {name: member(name) for name in ("read", "write", "erase", "run_agent")}


def test_an_engine_that_gives_each_user_their_own_gets_no_hint(
    notebook: ModuleType,
) -> None:
    """A request that names another's session, and is granted in a user's own, is in
    order."""
    found = checks(changed(notebook, **_keyed(notebook)))

    assert "nothing of alice's was shown" in noted(found, "read of another's", "ok")
    assert "nothing of alice's was shown" in noted(found, "erase of another's", "ok")
    assert {"ok", "not exercised"} == {one.status for one in found}


def test_a_run_that_another_cancels_is_an_effect(notebook: ModuleType) -> None:
    """A cancel_run that checks no owner is named by its effect on the run's user."""

    async def cancel_run(self: Any, user: str, context: Any, run: str) -> None:
        for session in self.notebook.sessions:
            if run in session.runs:
                session.runs[run].cancel()

    found = checks(changed(notebook, cancel_run=cancel_run))

    note = noted(found, "cancel_run of another's", "engine")
    assert "in alice's operation 13 from 'ok" in note
    assert "to 'cancelled" in note


@pytest.mark.parametrize("fault", ["token-optional", "name-believed"])
def test_foreign_and_forged_connections_are_tried(fault: str) -> None:
    """A client that names another user, or forges a token, is one of the attacks."""
    found = checks(find_engine(f"reference+{fault}").make_adapter)

    assert [one for one in found if one.status == "engine"]


def test_values_that_two_runs_share_are_the_engines(notebook: ModuleType) -> None:
    """Two users who store under one key at once see it where the engine mixes them."""

    def pages(self: Any, session: Any) -> dict[str, str]:
        notes: dict[str, str] = self.notes.setdefault(("all", session.thread), {})
        return notes

    def observe(self: Any) -> Iterable[Row]:
        for (_, thread), notes in self.notebook.notes.items():
            for key, value in notes.items():
                yield Row("alice", thread, key, value)

    mixing = type("Mixing", (notebook.Notebook,), {"pages": pages})
    found = checks(changed(notebook, engine_class=mixing, observe=observe))

    assert "showed alice bob~" in noted(found, "two users", "engine")


def test_a_denied_tool_that_runs_is_the_engines_and_the_check_goes_on(
    notebook: ModuleType,
) -> None:
    """A missing denial is said of the engine; two users are exercised all the same."""

    async def call_tool(self: Any, session: Any, tool: str, argument: str) -> Any:
        return await self.tools[tool](session, argument)

    lax = type("Lax", (notebook.Notebook,), {"call_tool": call_tool})
    found = checks(changed(notebook, engine_class=lax))

    assert "ran the tool forbidden" in noted(found, "agent: call_tool", "engine")
    assert "read of another's" in [one.method for one in found]


def test_a_lost_write_is_not_blamed_on_observe(notebook: ModuleType) -> None:
    """A value that neither read nor observe shows is a matter of write."""
    found = checks(changed(notebook, write=_nothing))

    assert "neither read nor observe shows" in noted(found, "write", "breaks")
    assert ["ok"] == [one.status for one in found if one.method == "observe"]


def test_an_erased_context_that_is_gone_blames_no_other_method(
    notebook: ModuleType,
) -> None:
    """An erase that deletes the session leaves the methods before it in order."""

    async def erase(self: Any, user: str, context: Any) -> None:
        await notebook.NotebookAdapter.erase(self, user, context)
        await self.notebook.close(context)

    found = checks(changed(notebook, erase=erase))

    assert [] == [one for one in found if one.status == "breaks"]


def test_an_error_of_erase_names_erase(notebook: ModuleType) -> None:
    """An erase that raises is the one method that is reported."""
    found = checks(changed(notebook, erase=_raising))

    assert ["erase"] == [one.method for one in found if one.status == "breaks"]


def test_an_exception_that_is_no_refusal_is_a_hint(notebook: ModuleType) -> None:
    """A refusal by an exception outside `refusals` is reported."""
    found = checks(changed(notebook, refusals=()))

    assert "Refused" in noted(found, "read of another's", "hint")
    assert "is not in refusals" in noted(found, "read of another's", "hint")


def test_nothing_shared_is_a_hint(notebook: ModuleType) -> None:
    """An adapter that names no shared object has likely forgotten to."""
    found = checks(changed(notebook, shared=lambda self: ()))

    assert "the engine first" in noted(found, "shared", "hint")


def test_a_method_without_its_capability_is_a_hint(notebook: ModuleType) -> None:
    """A method without its capability is reported, of adapter and services."""
    found = checks(changed(notebook, capabilities=frozenset()))

    assert "'memory' is not declared" in noted(found, "write", "hint")
    assert "'cancel' is not declared" in noted(found, "cancel_run", "hint")
    assert "'tools' is not declared" in noted(found, "agent: call_tool", "hint")


def test_a_read_that_hides_a_stored_value_is_a_hint(notebook: ModuleType) -> None:
    """A read without the stored value is reported."""

    async def read(self: Any, user: str, context: Any) -> Any:
        self.notebook.require(context, user)
        return {}

    found = checks(changed(notebook, read=read))

    assert "does not show the value that write stored" in noted(found, "read", "hint")


def test_a_live_resource_is_a_hint(notebook: ModuleType) -> None:
    """A task that outlives shutdown is named."""

    async def start(self: Any, environment: Any) -> None:
        await notebook.NotebookAdapter.start(self, environment)
        self.task = asyncio.ensure_future(asyncio.sleep(1e6))

    found = checks(changed(notebook, start=start))

    assert "a task was still alive" in noted(found, "the end", "hint")


def test_contexts_that_hold_one_object_get_a_hint(notebook: ModuleType) -> None:
    """An undeclared object is named, with the way to it and the method to change."""
    holder = notebook.NotebookAdapter

    async def open_context(self: Any, user: str, thread: str, metadata: Any) -> Any:
        context = await holder.open_context(self, user, thread, metadata)
        context.table = self.__dict__.setdefault("table", {})
        return context

    found = checks(changed(notebook, open_context=open_context, shared=lambda _: ()))

    assert ".table" in noted(found, "shared", "hint")


def test_a_task_of_the_server_gets_no_hint(notebook: ModuleType) -> None:
    """The first request may start a task for all, which the shutdown ends."""
    holder = notebook.NotebookAdapter

    async def open_context(self: Any, user: str, thread: str, metadata: Any) -> Any:
        if "watcher" not in self.__dict__:
            self.watcher = asyncio.ensure_future(asyncio.Event().wait())
        return await holder.open_context(self, user, thread, metadata)

    async def shutdown(self: Any) -> None:
        if "watcher" in self.__dict__:
            self.watcher.cancel()
            await asyncio.wait((self.watcher,))
        await holder.shutdown(self)

    found = checks(changed(notebook, open_context=open_context, shutdown=shutdown))

    assert ["nothing is left alive"] == [
        one.note for one in found if one.method == "the end"
    ]


def test_a_difference_between_two_runs_is_a_hint(notebook: ModuleType) -> None:
    """Two runs that see different things show the first of them."""

    async def read(self: Any, user: str, context: Any) -> Any:
        shown = await notebook.NotebookAdapter.read(self, user, context)
        return {"long": "x" * 500, **shown, "at": f"number {next(COUNT)}"}

    found = checks(changed(notebook, read=read))

    note = noted(found, "the same twice", "hint")
    assert "two runs differ" in note
    one, other = re.findall(r"number \d+", note)
    assert one != other


def test_threads_signals_and_prints_are_hints(notebook: ModuleType) -> None:
    """Changes that an adapter makes to its process are reported."""
    done = threading.Event()

    async def start(self: Any, environment: Any) -> None:
        print("hello")
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        threading.Thread(target=done.wait, name="mine", daemon=True).start()
        await notebook.NotebookAdapter.start(self, environment)

    try:
        found = checks(changed(notebook, start=start))
    finally:
        done.set()

    assert "(mine" in noted(found, "threads", "hint")
    assert "SIGTERM" in noted(found, "signals", "hint")
    assert noted(found, "print", "hint")


# As a test


def test_a_correct_adapter_is_required_in_silence(notebook: ModuleType) -> None:
    """Nothing is raised where all that is required works."""
    assert_adapter_works(notebook.NotebookAdapter)


def test_a_method_is_announced_before_it_is_called(notebook: ModuleType) -> None:
    """An observer can name the method in which an adapter hangs."""
    order: list[str] = []
    check_adapter(
        own_engine(notebook.NotebookAdapter),
        lambda one: order.append(f"{one.method} {one.status}"),
        order.append,
    )

    assert ["start", "start ok", "open_context", "open_context ok"] == order[:4]
