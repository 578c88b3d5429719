"""Records of a server's answers, and what people say about them: one SQLite file, which all workers write to.

A record tells which model gave an answer, and its class, or a digest of its text. The inputs and texts themselves are kept only
if the server was started with --keep-inputs.
"""

import hashlib
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, Self

NAME: Final = "records.sqlite"  # of the file in an instance's folder
FILE: Final = "SEQLINE_RECORDS"  # environment variable of a server's processes: path of the file
KEEP: Final = "SEQLINE_KEEP_INPUTS"  # the same: 1 keeps inputs and texts
DAYS: Final = "SEQLINE_RETENTION"  # the same: days after which records are deleted
MOST: Final = 1_000_000  # records; the oldest are deleted first
AT_ONCE: Final = 5_000  # records to delete before other processes may write
DAY_S: Final = 86_400.0
LATE_S: Final = 3_600.0  # for which a record may come after its deletion: that of a slow shadow, or one that waits to be written
WAIT_S: Final = 1.0  # for another process to finish writing
TEXT: Final = "sha256:"  # prefix of the digest of a text, which no class has
OWNER_ONLY: Final = 0o600

SCHEMA: Final = """
create table if not exists answers (
    id text not null, place integer not null, model text not null, version text not null, at real not null,
    seconds real not null, answer text, input text, said text, shadow integer not null,
    unique (id, place, version)
);
create index if not exists answers_of_models on answers (model, version, at);
create table if not exists feedback (
    id text not null, place integer not null, model text not null, version text not null, at real not null,
    expected text not null, right integer not null, text text,
    unique (id, place)
);
create table if not exists forgotten (id text primary key, at real not null);
create trigger if not exists feedback_goes_with_its_answer after delete on answers begin
    delete from feedback where id = old.id and place = old.place and version = old.version;
end;
create trigger if not exists forgotten_answers_stay_away before insert on answers
when exists (select 1 from forgotten where id = new.id) begin
    select raise(ignore);
end;
"""
# A write only appends to the write-ahead log. The gateway moves it into the database now and then, and a worker only if the log
# has grown to 40 MB. What is deleted is overwritten with zeros.
SETTINGS: Final = """
pragma journal_mode = wal;
pragma synchronous = normal;
pragma wal_autocheckpoint = 10000;
pragma secure_delete = on;
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
        shadow: whether the answer went to nobody: that of a version that gets copies of the requests.
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
    shadow: bool = False


class Feedback(NamedTuple):
    """What somebody says is the right answer to an input; fields as in `Recorded`.

    Attributes:
        expected: the right class, or a digest of the right text.
        right: whether the model's answer was this one.
        text: the right text, only with --keep-inputs.
    """

    id: str
    place: int
    model: str
    version: str
    at: float
    expected: str
    right: bool
    text: str | None = None


@dataclass(frozen=True)
class Pair:
    """The answers of two versions to the same input, None if they have no class or text, and their seconds."""

    first: str | None
    second: str | None
    first_s: float
    second_s: float


@dataclass(frozen=True)
class Keeping:
    """What a server keeps of its answers, and for how long.

    Attributes:
        file: of the records.
        inputs: keep inputs and texts, too.
        days: after which records are deleted.
    """

    file: Path
    inputs: bool = False
    days: int = 30

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that tell it to the server's processes."""
        return {FILE: str(self.file), KEEP: "1" if self.inputs else "", DAYS: str(self.days)}

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """What the environment of a server's process says."""
        return cls(Path(environment[FILE]), bool(environment.get(KEEP)), int(environment.get(DAYS, cls.days)))


class Records:
    """The file of records. Every process opens its own connection.

    Args:
        path: of the file; created if missing, for its owner alone.

    Raises:
        OSError: the file cannot be created.
        sqlite3.Error: it is no file of records, or another process does not finish its write.
    """

    def __init__(self, path: Path) -> None:
        path.touch(OWNER_ONLY)
        self._file = sqlite3.connect(path, timeout=WAIT_S, isolation_level=None, check_same_thread=False)
        self._file.executescript(SETTINGS + SCHEMA)

    def write(self, rows: Sequence[Recorded]) -> None:
        """Add records in one transaction, except those of requests that were forgotten.

        While a shadow becomes the version that answers, it may answer a request and also its copy. The copy does not count then.

        Raises:
            sqlite3.Error: the disk is full, for example.
        """
        with self._file:
            self._file.execute("begin immediate")
            for shadow, verb in ((False, "replace"), (True, "ignore")):
                some = [row for row in rows if row.shadow == shadow]
                self._file.executemany(f"insert or {verb} into answers values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", some)  # noqa: S608

    def of(self, identity: str) -> list[Recorded]:
        """The records of a request, by place; those of a shadow after the others."""
        found = self._file.execute("select * from answers where id = ? order by shadow, place", (identity,))
        return [Recorded(*row) for row in found]

    def pairs(self, model: str, first: str, second: str, since: float = 0.0) -> Iterator[Pair]:
        """The inputs that two versions of a model have answered."""
        query = (
            "select a.answer, b.answer, a.seconds, b.seconds from answers b join answers a "
            "on a.id = b.id and a.place = b.place and a.version = ? where b.model = ? and b.version = ? and b.at >= ?"
        )
        for row in self._file.execute(query, (first, model, second, since)):
            yield Pair(*row)

    def judge(self, feedback: Feedback) -> bool:
        """Add what is right, if the answer is still there; replaces earlier feedback on the same input.

        Returns:
            whether it says anything new.
        """
        query = (
            "insert into feedback select :id, :place, :model, :version, :at, :expected, :right, :text "
            "where exists (select 1 from answers where id = :id and place = :place and version = :version) "
            "on conflict (id, place) do update set "
            "version = excluded.version, at = excluded.at, expected = excluded.expected, right = excluded.right, "
            "text = excluded.text where expected <> excluded.expected"
        )
        return self._file.execute(query, feedback._asdict()).rowcount > 0

    def judged(self, model: str, since: float = 0.0) -> list[tuple[Recorded, Feedback]]:
        """The records of a model with feedback since a time, oldest first."""
        query = (
            "select answers.*, feedback.* from feedback join answers using (id, place, version) "
            "where feedback.model = ? and feedback.at >= ? order by feedback.at"
        )
        width = len(Recorded._fields)
        return [(Recorded(*row[:width]), Feedback(*row[width:])) for row in self._file.execute(query, (model, since))]

    def right(self, model: str, version: str, since: float) -> tuple[int, int]:
        """The number of a version's right answers, and of all judged ones, by feedback since a time."""
        query = "select coalesce(sum(right), 0), count(*) from feedback where model = ? and version = ? and at >= ?"
        right, count = self._file.execute(query, (model, version, since)).fetchone()
        return int(right), int(count)

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
        """Delete everything about a request, also what is yet to be written; returns whether there was anything.

        Its id is kept for a while, so that a late record can be told.
        """
        with self._file:
            self._file.execute("begin immediate")
            gone = self._file.execute("delete from answers where id = ?", (identity,)).rowcount > 0
            if gone:
                self._file.execute("insert or ignore into forgotten values (?, ?)", (identity, time.time()))
        if gone:
            self._settle()
        return gone

    def purge(self, days: float, most: int = MOST) -> bool:
        """Delete at most AT_ONCE of the records that are too old or, as the oldest, too many, with their feedback.

        Args:
            days: after which a record is too old.
            most: records.

        Returns:
            whether there may be more of them. Leave other processes time to write before the next call.
        """
        before = time.time() - days * DAY_S
        (last,) = self._file.execute("select coalesce(max(rowid), 0) from answers").fetchone()
        query = (  # records are in the order of their rowid
            "delete from answers where rowid in (select rowid from (select rowid, at from answers order by rowid limit :some) "
            "where at < :before or rowid <= :beyond)"
        )
        count = self._file.execute(query, {"some": AT_ONCE, "before": before, "beyond": last - most}).rowcount
        if count == AT_ONCE:
            return True
        self._file.execute("delete from forgotten where at < ?", (time.time() - LATE_S,))
        self._settle()
        return False

    def _settle(self) -> None:
        """Move the write-ahead log into the database and empty it, so that what was deleted is in no file.

        While another process reads or writes, nothing is moved; the next time will do.
        """
        self._file.execute("pragma wal_checkpoint(truncate)").fetchall()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def digest(text: str) -> str:
    """A digest of a text, which tells whether two texts are the same, apart from white space around them."""
    return TEXT + hashlib.sha256(text.strip().encode(errors="surrogatepass")).hexdigest()[:32]
