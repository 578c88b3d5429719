"""The signals that end a run: Ctrl-C, `kill`, a closed terminal."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


class Interrupts:
    """Turns the first signal that ends a run into a KeyboardInterrupt, and ignores those that follow."""

    def __init__(self) -> None:
        self._came = self._held = False

    def listen(self) -> None:
        """Install the signal handlers.

        A process that a script starts with `&` ignores SIGINT, and so do its children. The handler makes SIGINT end the run in
        this case too, and stages start with the default action. An ignored SIGHUP stays ignored, for nohup.
        """
        signal.signal(signal.SIGINT, self._take)
        signal.signal(signal.SIGTERM, self._take)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, self._take)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Defer signals until the end of the block."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
        self.check()

    def check(self) -> None:
        """Raise KeyboardInterrupt again if Python swallowed it, as in an object's `__del__`."""
        if self._came:
            raise KeyboardInterrupt

    def _take(self, *_: object) -> None:
        if self._came:
            return  # the run is already ending
        self._came = True
        if not self._held:
            raise KeyboardInterrupt
