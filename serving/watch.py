"""How long a pass through a model may take, and how much of that the model itself took."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Timer


class DeadlineError(Exception):
    """The time that a pass had was over before its end."""


class Watch:
    """Looked at between the steps of one pass.

    Args:
        until: when the pass has to end, by `time.monotonic`; without it, it may take as long as it takes.

    Attributes:
        model_s: seconds that were spent in the model's graphs so far.
    """

    def __init__(self, until: float = math.inf) -> None:
        self._until = until
        self.model_s = 0.0

    def check(self) -> None:
        """Go on.

        Raises:
            DeadlineError: or rather not.
        """
        if time.monotonic() >= self._until:
            raise DeadlineError

    @contextmanager
    def model(self, stop: Callable[[], object] | None = None) -> Iterator[None]:
        """Time a run of a graph. One that cannot look at the watch itself is ended by `stop`, from another thread.

        Raises:
            DeadlineError: there is no time left, or there was not enough for the run.
        """
        self.check()
        timer = Timer(self._until - time.monotonic(), stop) if stop and self._until < math.inf else None
        started = time.perf_counter()
        try:
            if timer:
                timer.daemon = True
                timer.start()
            yield
        except Exception:
            self.check()  # it failed because it was stopped
            raise
        finally:
            if timer:
                timer.cancel()
            self.model_s += time.perf_counter() - started
