"""Deadlines of passes through a model, and the time that its graphs took."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Timer


class DeadlineError(Exception):
    """The deadline passed before the end of a pass."""


class Watch:
    """The deadline of one pass, which is checked between its steps.

    Args:
        until: deadline, by `time.monotonic`; by default there is none.

    Attributes:
        model_s: seconds spent in the model's graphs so far.
    """

    def __init__(self, until: float = math.inf) -> None:
        self._until = until
        self.model_s = 0.0

    def check(self) -> None:
        """Check the deadline.

        Raises:
            DeadlineError: it has passed.
        """
        if time.monotonic() >= self._until:
            raise DeadlineError

    @contextmanager
    def model(self, stop: Callable[[], object] | None = None) -> Iterator[None]:
        """Time a run of a graph. A long run, which cannot check the deadline, is ended by calling `stop` in another thread.

        Raises:
            DeadlineError: the deadline passed before or during the run.
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
