"""The command of a stage, beside others: its output bears the stage's name, and it can be stopped with all that it started."""

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
    """A command that runs in a process group of its own.

    Args:
        name: of the stage, before each line that the command prints.
        lines: of shell; the first that fails ends it.
        folder: to run in.
        environment: of the process.
        ended: called when it has ended, by a thread of its own.

    Attributes:
        name: of the stage.
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
            stdin=subprocess.DEVNULL,  # several cannot share one
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
        """Exit status, once it has ended."""
        return self._process.wait()

    @property
    def seconds(self) -> float:
        """Since it began."""
        return monotonic() - self._began

    def interrupt(self) -> None:
        """Ask it to stop, and all that it started."""
        self._signal(signal.SIGINT)

    def kill_at(self, deadline: float) -> None:
        """Kill what still runs at a time of `monotonic`."""
        self._reader.join(max(0.0, deadline - monotonic()))
        self._signal(signal.SIGKILL)
        self._process.wait()

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def _read(self) -> None:
        """Pass its output on, until all that could write to it has ended."""
        output = cast(IO[str], self._process.stdout)
        try:
            for line in output:
                say(self.name, line)
        finally:  # where nobody reads any more, the command gets to know, and ends
            output.close()
            self._process.wait()
            self._ended(self)


def end(commands: Collection[Command], grace: float) -> None:
    """Ask all to stop, at the same time, and kill what still runs after so many seconds."""
    for command in commands:
        command.interrupt()
    deadline = monotonic() + grace
    for command in commands:
        command.kill_at(deadline)


def say(name: str, line: str) -> None:
    """Print a line that tells of a stage, whole, whoever else prints."""
    with _printing:
        sys.stdout.write(f"{name} | {line.rstrip()}\n")
        sys.stdout.flush()
