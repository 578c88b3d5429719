"""The log of trials: how both versions of a model did."""

import json
import math
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final, Self

from serving.server.trials.log import OLDER

BUSY: Final = "challenger_"  # begins what stands for an address that nginx did not try: too many requests were under way


@dataclass(frozen=True)
class Latency:
    """Percentiles of the time to an answer, in seconds."""

    p50_s: float
    p99_s: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Self | None:
        """The percentiles by the nearest rank; None without any answer."""
        if not seconds:
            return None
        ranked = sorted(seconds)
        return cls(*(ranked[math.ceil(share * len(ranked)) - 1] for share in (0.5, 0.99)))


@dataclass
class Arm:
    """How one version did.

    Attributes:
        requests: that it got.
        failed: of these, those without an answer, or with a status of 500 or more.
        refused: of these, those that the model found wrong.
        skipped: requests that it did not get, because too many were under way.
        seconds: time to each answer with status 200.
    """

    requests: int = 0
    failed: int = 0
    refused: int = 0
    skipped: int = 0
    seconds: list[float] = field(default_factory=list)

    def add(self, to: str, status: str, seconds: str) -> None:
        """Count the first attempt of a request, given nginx's $upstream_addr, $upstream_status and $upstream_response_time."""
        code, took = (text.split(" : ")[0] for text in (status, seconds))
        if to.startswith(BUSY):
            self.skipped += 1
        elif code.isdecimal():  # else it was refused, or its client went away
            lost = int(code) >= 500 or code == "404"  # TorchServe's, for a version that is not loaded
            self.requests += 1
            self.failed += lost
            self.refused += not lost and code != "200"
            self.seconds += [float(took)] if code == "200" else []

    @property
    def without(self) -> int:
        """Number of requests without an answer with status 200."""
        return self.failed + self.refused


class Attempts:
    """The requests of a trial, as far as the log has been read. Of a long trial, the log has only the latest requests.

    Args:
        path: of the log.
        model: the model's name.
        challenger: the challenger's version.
        since: start of the trial, in seconds since 1970.
    """

    def __init__(self, path: Path, model: str, challenger: str, since: float) -> None:
        self._files, self._model, self._since = (path.with_name(OLDER), path), model, since
        self._arms = {"": Arm(), challenger: Arm()}
        self.champion, self.challenger = self._arms.values()
        self._places: dict[int, int] = {}  # by inode, as the file that is written now is renamed when it is large

    def read(self) -> Self:
        """Read what was written since the last time."""
        for path in self._files:
            with suppress(FileNotFoundError), path.open("rb") as log:
                self._read(log)
        return self

    def _read(self, log: IO[bytes]) -> None:
        file = os.fstat(log.fileno())
        place = self._places.get(file.st_ino, 0)
        place = log.seek(place if place <= file.st_size else 0)  # a new file may have the inode of one that is gone
        for line in log:
            if not line.endswith(b"\n"):  # half written
                break
            place += len(line)
            said = json.loads(line)
            if said["model"] == self._model and said["at"] >= self._since and (arm := self._arms.get(said["version"])):
                arm.add(said["to"], said["status"], said["seconds"])
        self._places[file.st_ino] = place
