"""Misbehaving adapters of the notebook: they hang, crash, exit or print."""

import asyncio
import ctypes
import os
import signal
import sys
import time
from pathlib import Path

from notebook import NotebookAdapter

print("printed at import")


class Counted(NotebookAdapter):
    """Misbehaves in one run only, across all processes."""

    made = 0
    bad_at = 40

    def __init__(self):
        type(self).made += 1

    @property
    def is_bad(self):
        return self.made >= self.bad_at and self.claim_marker("bad")

    def claim_marker(self, name):
        try:
            Path(f"{type(self).__name__}.{name}").touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


class Spinning(Counted):
    async def read(self, user, context):
        if self.is_bad:
            while True:
                pass
        return await super().read(user, context)


class Sleeping(NotebookAdapter):
    async def read(self, user, context):
        self.wait_for_device()
        return await super().read(user, context)

    def wait_for_device(self):
        time.sleep(60)


class Busy(Counted):
    async def cleanup_user(self, user):
        if self.is_bad:
            while True:
                pass
        await super().cleanup_user(user)


class Reading(Counted):
    async def answer(self, prompt):
        if self.is_bad:
            os.read(os.pipe()[0], 1)
        return await super().answer(prompt)


class Troubled(Spinning):
    async def shutdown(self):
        if self.made >= self.bad_at and self.claim_marker("worse"):
            os._exit(0)
        await super().shutdown()


class Crashing(Counted):
    async def read(self, user, context):
        if self.is_bad:
            ctypes.string_at(0)
        return await super().read(user, context)


class Stopping(NotebookAdapter):
    async def read(self, user, context):
        sys.exit(0)


class Interrupting(NotebookAdapter):
    async def read(self, user, context):
        raise KeyboardInterrupt


class Basic(NotebookAdapter):
    async def cleanup_user(self, user):
        raise BaseException("no")


class Grouped(NotebookAdapter):
    async def read(self, user, context):
        raise BaseExceptionGroup("many", [KeyboardInterrupt()])


class Unstarted(NotebookAdapter):
    async def start(self, environment):
        await asyncio.get_running_loop().create_future()


class Waiting(NotebookAdapter):
    async def read(self, user, context):
        await asyncio.get_running_loop().create_future()


class Listening(NotebookAdapter):
    async def start(self, environment):
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, print)


class UsedUp(NotebookAdapter):
    made = 0

    def __init__(self):
        type(self).made += 1
        if self.made > 1:
            raise ValueError("used up")


class Anonymous(NotebookAdapter):
    def identity(self):
        return 7


class Careless(NotebookAdapter):
    """Prints and ignores signals, but is correct."""

    async def start(self, environment):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGALRM):
            signal.signal(number, signal.SIG_IGN)
        await super().start(environment)

    async def read(self, user, context):
        print("printed in read")
        os.write(1, b"written in read")
        return await super().read(user, context)


class Always(NotebookAdapter):
    async def read(self, user, context):
        while True:
            pass
