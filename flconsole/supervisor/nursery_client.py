"""The supervisor's side of the nursery: sends it commands, hands its notices on."""

import asyncio
import contextlib
from asyncio.subprocess import PIPE, Process
from typing import Any, Protocol

import msgspec

from engine.commands import NurseryCommand, NurseryNotice, NurseryReady, encode
from engine.config import RunConfig
from flconsole.supervisor.daemon import Daemon
from flconsole.supervisor.programs import NURSERY_ENVIRONMENT, Programs, nursery_command

_decoder = msgspec.json.Decoder(NurseryNotice)
_GRACE_S = 6.0
"""A little longer than the nursery itself waits between TERM and KILL."""


class NurseryListener(Protocol):
    """Whoever decides what the nursery starts."""

    def nursery_started(self, nursery: "NurseryProcess") -> None:
        """From now on a nursery takes commands."""

    def notice(self, notice: NurseryNotice) -> None:
        """It says something."""

    def nursery_ended(self) -> None:
        """It is gone, and with it every process it forked."""


class NurseryProcess(Daemon):
    """The nursery process.

    Args:
        programs: which module it is, and what it imports before it forks.
        config: the run's configuration.
        listener: told what happens to the nursery and to the processes it forks.
        **daemon: see `Daemon`.
    """

    name = "nursery"
    stdio = PIPE
    env = NURSERY_ENVIRONMENT

    def __init__(
        self,
        programs: Programs,
        config: RunConfig,
        listener: NurseryListener,
        **daemon: Any,
    ) -> None:
        super().__init__(**daemon)
        self._programs, self._config = programs, config
        self._listener = listener
        self.ready = False
        """Whether it has finished importing; before that it obeys nothing and has no children."""

    def command(self) -> list[str]:
        return nursery_command(self._programs, self._config)

    def send(self, command: NurseryCommand) -> None:
        """Queues a command; it is lost, like the children, where the nursery has just died."""
        if self.process and self.process.stdin and not self.process.stdin.is_closing():
            self.process.stdin.write(encode(command))

    async def serve(self, process: Process) -> None:
        assert process.stdout is not None  # noqa: S101  # a pipe was asked for
        # Through the loop, not called from here: an error there must not end the reading here.
        loop = asyncio.get_running_loop()
        loop.call_soon(self._listener.nursery_started, self)
        while line := await process.stdout.readline():
            notice = _decoder.decode(line)
            self.ready = self.ready or isinstance(notice, NurseryReady)
            loop.call_soon(self._listener.notice, notice)
        await process.wait()
        self.ready = False
        loop.call_soon(self._listener.nursery_ended)

    async def stop(self) -> None:
        """Closes the nursery's standard input, at which it ends its children and itself."""
        self._stopping = True
        if self.process and self.process.stdin and self.ready:
            self.process.stdin.close()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.process.wait(), _GRACE_S)
        await super().stop()
