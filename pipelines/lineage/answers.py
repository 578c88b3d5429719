"""What a server's records know: answers, and feedback on them."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipelines.stage import StageError
from serving.records import NAME, Feedback, Recorded, Records

STATE: Final = "state.json"  # of a running server; names another file, if it was started with one


@dataclass(frozen=True)
class Served:
    """What a version of a model has answered.

    Attributes:
        count: number of answers.
        latest: of them, the newest first.
        judged: number of answers with feedback.
        right: of these, the number of right ones.
    """

    count: int
    latest: list[Recorded]
    judged: int
    right: int


class Answers:
    """The answers of one server; none if it has no records.

    Args:
        instance: the server's folder.

    Raises:
        StageError: the file cannot be read.
    """

    def __init__(self, instance: Path) -> None:
        self._path, self._records = _file(instance), None
        if self._path.exists():
            with self._readable():
                self._records = Records(self._path)

    def of(self, identity: str) -> list[Recorded]:
        """The answers to a request; empty if it is unknown."""
        with self._readable():
            return self._records.of(identity) if self._records else []

    def judged(self, model: str) -> list[tuple[Recorded, Feedback]]:
        """The answers of a model with feedback, oldest first."""
        with self._readable():
            return self._records.judged(model) if self._records else []

    def beginning_with(self, prefix: str) -> list[str]:
        """The ids of the requests that begin with these hexadecimal digits."""
        with self._readable():
            return self._records.beginning_with(prefix) if self._records else []

    def feedback(self, answer: Recorded) -> Feedback | None:
        """What somebody said about an answer."""
        if not self._records:
            return None
        with self._readable():
            judged = self._records.judged(answer.model, since=answer.at)
        return next((said for found, said in judged if found[:2] == answer[:2] and found.version == answer.version), None)

    def served(self, model: str, version: str, limit: int) -> Served:
        """What a version of a model has answered, with at most `limit` of the answers."""
        if not self._records:
            return Served(0, [], 0, 0)
        with self._readable():
            marks = [said.right for found, said in self._records.judged(model) if found.version == version]
            latest = self._records.answers(model, version, limit)
            return Served(self._records.count(model, version), latest, len(marks), sum(marks))

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            raise StageError(f"the records of answers in {self._path} cannot be read: {error}") from error


def _file(instance: Path) -> Path:
    """The file of records that a server's state names, or else its default."""
    state = instance / STATE
    named = json.loads(state.read_text(encoding="utf-8")).get("records") if state.exists() else None
    return Path(named) if named else instance / NAME
