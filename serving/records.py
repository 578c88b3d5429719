"""Records of a server's answers, and what people say about them: one SQLite file, which all workers write to.

A record tells which model gave an answer, and its class, or a digest of its text. The inputs and texts themselves are kept only
if the server was started with --keep-inputs.
"""

import hashlib
import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

FILE: Final = "SEQLINE_RECORDS"  # environment variable of the workers: path of the file
KEEP: Final = "SEQLINE_KEEP_INPUTS"  # environment variable of the workers: 1 keeps inputs and texts
MOST: Final = 1_000_000  # records; the oldest are deleted first
DAY_S: Final = 86_400.0
TEXTS: Final = ("translation_text", "generated_text")
TABLES: Final = ("answers", "feedback")
WAIT_S: Final = 1.0  # for another worker's write

SCHEMA: Final = """
create table if not exists answers (
    id text not null, place integer not null, model text not null, version text not null, at real not null,
    seconds real not null, answer text, input text, said text,
    unique (id, place, version)
);
create index if not exists answers_of_models on answers (model, version, at);
create table if not exists feedback (
    id text not null, place integer not null, model text not null, version text not null, at real not null,
    expected text not null, right integer not null,
    unique (id, place)
);
"""


class Recorded(NamedTuple):
    """One answer.

    Attributes:
        id: of the request, as in the answer's header X-Request-Id.
        place: of the input in the request's list; 0 if it is not a list.
        model: name of the model.
        version: version of the model.
        at: time of the answer, in seconds since 1970.
        seconds: from the request's arrival to its answer.
        answer: the most probable class, or a digest of the text; None if the answer is neither.
        input: the input, only with --keep-inputs.
        said: the answer's text, only with --keep-inputs.
    """

    id: str
    place: int
    model: str
    version: str
    at: float
    seconds: float
    answer: str | None
    input: str | None = None
    said: str | None = None


class Feedback(NamedTuple):
    """What somebody says is the right answer to an input; fields as in `Recorded`.

    Attributes:
        expected: the right class, or a digest of the right text.
        right: whether the model's answer was this one.
    """

    id: str
    place: int
    model: str
    version: str
    at: float
    expected: str
    right: bool


@dataclass(frozen=True)
class Pair:
    """The answers of two versions to the same input, None if they have no class or text, and their seconds."""

    first: str | None
    second: str | None
    first_s: float
    second_s: float


class Records:
    """The file of records. Every process opens its own connection.

    Args:
        path: of the file; created if missing.
        keep_inputs: keep inputs and texts, too.
    """

    def __init__(self, path: Path, *, keep_inputs: bool = False) -> None:
        self.keep_inputs = keep_inputs
        self._file = sqlite3.connect(path, timeout=WAIT_S, isolation_level=None, check_same_thread=False)
        # A crash of the machine may lose the last records, but a write takes microseconds.
        self._file.execute("pragma journal_mode = wal")
        self._file.execute("pragma synchronous = off")
        self._file.executescript(SCHEMA)

    def write(self, rows: Sequence[Recorded]) -> None:
        """Add records in one transaction.

        Raises:
            sqlite3.Error: the disk is full, for example.
        """
        with self._file:
            self._file.execute("begin immediate")
            self._file.executemany("insert or replace into answers values (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def of(self, identity: str) -> list[Recorded]:
        """The records of a request, by place; those of a shadow after the others."""
        found = self._file.execute("select * from answers where id = ? order by rowid, place", (identity,))
        return [Recorded(*row) for row in found]

    def pairs(self, model: str, first: str, second: str, since: float = 0.0) -> Iterator[Pair]:
        """The inputs that two versions of a model have answered."""
        query = (
            "select a.answer, b.answer, a.seconds, b.seconds from answers b join answers a "
            "on a.id = b.id and a.place = b.place and a.version = ? where b.model = ? and b.version = ? and b.at >= ?"
        )
        for row in self._file.execute(query, (first, model, second, since)):
            yield Pair(*row)

    def judge(self, feedback: Feedback) -> None:
        """Add what is right; replaces earlier feedback on the same input."""
        with self._file:
            self._file.execute("insert or replace into feedback values (?, ?, ?, ?, ?, ?, ?)", feedback)

    def judged(self, model: str, since: float = 0.0) -> list[tuple[Recorded, Feedback]]:
        """The records of a model with feedback since a time, oldest first."""
        query = (
            "select answers.*, feedback.* from feedback join answers using (id, place, version) "
            "where feedback.model = ? and feedback.at >= ? order by feedback.at"
        )
        width = len(Recorded._fields)
        return [(Recorded(*row[:width]), Feedback(*row[width:])) for row in self._file.execute(query, (model, since))]

    def answers(self, model: str, version: str, limit: int) -> list[Recorded]:
        """The latest answers of a version of a model."""
        query = "select * from answers where model = ? and version = ? order by at desc limit ?"
        return [Recorded(*row) for row in self._file.execute(query, (model, version, limit))]

    def count(self, model: str, version: str) -> int:
        """The number of answers of a version of a model."""
        query = "select count(*) from answers where model = ? and version = ?"
        return int(self._file.execute(query, (model, version)).fetchone()[0])

    def beginning_with(self, prefix: str) -> list[str]:
        """The ids of the requests that begin with these hexadecimal digits."""
        query = "select distinct id from answers where id >= ? and id < ? || 'g' order by id"
        return [identity for (identity,) in self._file.execute(query, (prefix, prefix))]

    def forget(self, identity: str) -> bool:
        """Delete everything about a request; returns whether there was anything."""
        with self._file:
            counts = [self._file.execute(f"delete from {table} where id = ?", (identity,)).rowcount for table in TABLES]  # noqa: S608
        return any(counts)

    def purge(self, days: float, most: int = MOST) -> int:
        """Delete what is older than some days, and the oldest records beyond a number; returns how many records."""
        before = time.time() - days * DAY_S
        with self._file:
            old = self._file.execute("delete from answers where at < ?", (before,)).rowcount
            self._file.execute("delete from feedback where at < ?", (before,))
            beyond = "delete from answers where rowid <= (select max(rowid) from answers) - ?"
            return old + self._file.execute(beyond, (most,)).rowcount

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def outcomes(body: Any) -> list[tuple[str | None, str | None]]:
    """What an answer says about each input: its class or a digest of its text, and the text; None for other kinds.

    Args:
        body: the answer of the contract, to one input or to a list.
    """
    listed = body if isinstance(body, list) else [body]
    if listed and isinstance(listed[0], dict) and "label" in listed[0]:  # the classes of a single input
        listed = [listed]
    return [_outcome(item) for item in listed]


def _outcome(item: Any) -> tuple[str | None, str | None]:
    if isinstance(item, list) and item and isinstance(item[0], dict) and "label" in item[0]:
        return str(item[0]["label"]), None
    if isinstance(item, dict):
        for key in TEXTS:
            if isinstance(item.get(key), str):
                return digest(item[key]), item[key]
    return None, None


def digest(text: str) -> str:
    """A digest of a text, which tells whether two texts are the same, apart from white space around them."""
    return hashlib.sha256(text.strip().encode(errors="surrogatepass")).hexdigest()[:32]


def inputs(body: bytes | str) -> list[str]:
    """The inputs of an accepted request, those that are not texts as JSON."""
    given = json.loads(body)["inputs"]
    return [one if isinstance(one, str) else json.dumps(one) for one in (given if isinstance(given, list) else [given])]
