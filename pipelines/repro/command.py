"""The command of one of several parallel stages: prefixes output with the stage's name, and stops all child processes."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from threading import Lock, Thread
from time import monotonic
from typing import IO, cast

_printing = Lock()


class Command:
    """A command that runs in its own process group.

    Args:
        name: the stage's name, printed before each line of output.
        lines: shell commands; the first failure ends the command.
        folder: working directory.
        environment: environment of the process.
        ended: callback for when it has ended, called in another thread.

    Attributes:
        name: the stage's name.
    """

    def __init__(
        self,
        name: str,
        lines: Sequence[str],
        folder: str,
        environment: Mapping[str, str],
        ended: Callable[["Command"], None],
    ) -> None:
        self.name, self._began, self._ended = name, monotonic(), ended
        self._process = subprocess.Popen(  # noqa: S603 - the user's own dvc.yaml
            ["/bin/sh", "-ec", "\n".join(lines)],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,  # parallel commands cannot share one
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            process_group=0,
        )
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def status(self) -> int:
        """Exit status; waits until the command has ended."""
        return self._process.wait()

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return monotonic() - self._began

    def interrupt(self) -> None:
        """Send SIGINT to the whole process group."""
        self._signal(signal.SIGINT)

    def kill_at(self, deadline: float) -> None:
        """Kill what is still running at the deadline, in the time of `monotonic`."""
        self._reader.join(max(0.0, deadline - monotonic()))
        self._signal(signal.SIGKILL)
        self._process.wait()

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def _read(self) -> None:
        """Forward the output until all processes that could write to it have ended."""
        output = cast(IO[str], self._process.stdout)
        try:
            for line in output:
                say(self.name, line)
        finally:  # if our own output is closed, close the pipe, so that the command fails and ends, too
            output.close()
            self._process.wait()
            self._ended(self)


def end(commands: Collection[Command], grace: float) -> None:
    """Interrupt all commands at the same time, and kill those still running after `grace` seconds."""
    for command in commands:
        command.interrupt()
    deadline = monotonic() + grace
    for command in commands:
        command.kill_at(deadline)


def say(name: str, line: str) -> None:
    """Print a line prefixed with a stage's name, never interleaved with lines of other threads."""
    with _printing:
        sys.stdout.write(f"{name} | {line.rstrip()}\n")
        sys.stdout.flush()
