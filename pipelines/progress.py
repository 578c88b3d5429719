"""How far a stage is: a bar on a terminal, lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

from tqdm import tqdm

SECONDS = 25.0  # between two lines
LATER = 3.0  # that a line without news waits for one with news
SHARE = 1 / 75  # of the time so far, between two lines of a long stage: 200 lines are two hours and a half


class Pace:
    """When the next line is due.

    Args:
        clock: seconds, from any start.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._start = self._last = clock()

    @property
    def seconds(self) -> float:
        """Since the start."""
        return self._clock() - self._start

    def due(self, later: float = 0.0) -> bool:
        """Whether a line is due, or was so many seconds ago. If so, it counts as printed."""
        now = self._clock()
        if now - self._last < max(SECONDS, SHARE * (now - self._start)) + later:
            return False
        self._last = now
        return True


class Progress:
    """How many of `total` units are done, how fast, and how long the others will take.

    Args:
        name: of the work.
        total: units.
        unit: what they are called.
        done: units that were done before.
        shown: whether anything is shown at all.
    """

    def __init__(self, name: str, total: int, unit: str, done: int = 0, *, shown: bool = True) -> None:
        self._name, self._total, self._unit, self._begun, self._done, self._shown = name, total, unit, done, done, shown
        self._start = time.monotonic()
        self._bar: tqdm[Any] | None = None
        if shown and sys.stderr.isatty():
            self._bar = tqdm(total=total, initial=done, desc=name, unit=f" {unit}", unit_scale=True, leave=False)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def advance(self, units: int, note: Callable[[], str] = str) -> None:
        """So many more are done. `note` says more about them, and is called only where that is shown."""
        self._done += units
        if self._bar is not None:
            self._bar.update(units)
        elif self._shown and PACE.due():
            rate = (self._done - self._begun) / (time.monotonic() - self._start)
            left = tqdm.format_interval((self._total - self._done) / rate) if rate else "?"
            more = note()
            said = f"{self._name}: {self._done} of {self._total} {self._unit}, {tqdm.format_sizeof(rate)}/s, {left} left"
            say(f"{said}, {more}" if more else said)


PACE = Pace()  # of all lines of this process


def say(line: str) -> None:
    """Print a line at once, whatever reads it."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


@contextmanager
def heartbeat(name: str) -> Iterator[None]:
    """Say now and then, where there is no terminal, that the work goes on, unless it says more itself."""
    ended = Event()
    if not sys.stderr.isatty():
        Thread(target=_beat, args=(name, ended), daemon=True).start()
    try:
        yield
    finally:
        ended.set()


def _beat(name: str, ended: Event) -> None:
    while not ended.wait(1.0):
        if PACE.due(LATER):
            say(f"{name}: running for {tqdm.format_interval(PACE.seconds)}")
