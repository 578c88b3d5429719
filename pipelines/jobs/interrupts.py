"""The signals that end a run: Ctrl-C, `kill`, a terminal that is closed."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


class Interrupts:
    """Turns the first signal that ends a run into a KeyboardInterrupt, and ignores those that follow."""

    def __init__(self) -> None:
        self._came = self._held = False

    def listen(self) -> None:
        """Take the signals from now on.

        What a script starts with `&` has SIGINT ignored, and so have its children. Taken here, it ends the run all the same, and
        stages start with its default. Where SIGHUP is ignored, it stays so: that is what nohup is for.
        """
        signal.signal(signal.SIGINT, self._take)
        signal.signal(signal.SIGTERM, self._take)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, self._take)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Put off what comes until the end of the block."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
        self.check()

    def check(self) -> None:
        """Raise again what was raised where it could not spread, as in the removal of an object."""
        if self._came:
            raise KeyboardInterrupt

    def _take(self, *_: object) -> None:
        if self._came:
            return  # what runs is being ended already
        self._came = True
        if not self._held:
            raise KeyboardInterrupt
