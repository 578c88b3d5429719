"""Progress of a stage: a bar on a terminal, lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

from tqdm import tqdm

SECONDS = 25.0  # between two lines
LATER = 3.0  # seconds that a heartbeat line waits for a progress line
SHARE = 1 / 75  # of the elapsed time, between two lines of a long stage: 200 lines last two and a half hours


class Pace:
    """Decides when the next line is due.

    Args:
        clock: returns seconds since an arbitrary start.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._start = self._last = clock()

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._start

    def due(self, later: float = 0.0) -> bool:
        """Whether a line has been due for `later` seconds. If so, it counts as printed."""
        now = self._clock()
        if now - self._last < max(SECONDS, SHARE * (now - self._start)) + later:
            return False
        self._last = now
        return True


class Progress:
    """Shows the units done of `total`, the rate and the estimated time left.

    Args:
        name: name of the work.
        total: number of units.
        unit: name of the units.
        done: units done in an earlier run.
        shown: whether to show anything at all.
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
        """Count more units as done. `note` returns extra text for a line, and is called only when one is printed."""
        self._done += units
        if self._bar is not None:
            self._bar.update(units)
        elif self._shown and PACE.due():
            rate = (self._done - self._begun) / (time.monotonic() - self._start)
            left = tqdm.format_interval((self._total - self._done) / rate) if rate else "?"
            more = note()
            said = f"{self._name}: {self._done} of {self._total} {self._unit}, {tqdm.format_sizeof(rate)}/s, {left} left"
            say(f"{said}, {more}" if more else said)


PACE = Pace()  # shared by all lines of this process


def say(line: str) -> None:
    """Print a line and flush it, also when the output is piped."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


@contextmanager
def heartbeat(name: str) -> Iterator[None]:
    """Without a terminal, print now and then that the work is still running, unless it prints progress itself."""
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
