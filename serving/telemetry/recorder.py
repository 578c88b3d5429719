"""Records the answers of a model, without ever failing one of them."""

import json
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from queue import Full, Queue
from threading import Thread
from typing import Any, Final

from serving.contract.body import parse_body
from serving.records import Keeping, Recorded, Records, digest
from serving.telemetry.metrics import LOST

logger = logging.getLogger(__name__)

TEXTS: Final = ("translation_text", "generated_text")  # fields of an answer with its text
PAUSE_S: Final = 5.0  # after a failure, so that a full or locked disk does not fill the log
WAITING: Final = 1_000  # batches that may wait to be written
MOST_AT_ONCE: Final = 1_000  # records of a transaction, or a few more


@dataclass(frozen=True)
class Answered:
    """A request that got an answer.

    Attributes:
        id: of the request.
        seconds: from its arrival to its answer.
        request: its body, as the transport delivered it.
        answer: the body of the answer.
        shadow: whether it is a copy, whose answer goes to nobody.
    """

    id: str
    seconds: float
    request: object
    answer: Any
    shadow: bool


class Recorder:
    """Writes what a worker of a model answers to the file of records.

    A thread does it, so that no answer waits until the other workers have written theirs. The more there is to write, the more of
    it goes into one transaction.

    Args:
        model: name of the model.
        version: version of the model.
        keeping: what to keep; None keeps nothing.
    """

    def __init__(self, model: str, version: str, keeping: Keeping | None) -> None:
        self._model, self._version, self._keeping = model, version, keeping
        self._lost = LOST.labels(model, version)
        self._waiting = Queue[list[Recorded]](WAITING)
        if keeping:
            Thread(target=self._run, args=(keeping,), name="records", daemon=True).start()

    def write(self, answered: Sequence[Answered]) -> None:
        """Add a record for each input of these requests, soon; they are lost if that fails."""
        if not answered or self._keeping is None:
            return
        try:
            self._waiting.put_nowait([row for one in answered for row in self._rows(one, self._keeping.inputs)])
        except Full:
            self._lost.inc(len(answered))
        except Exception:
            logger.exception("answers could not be recorded")
            self._lost.inc(len(answered))

    def _run(self, keeping: Keeping) -> None:
        """Write what is waiting, for as long as the worker runs."""
        file: Records | None = None
        while True:
            rows = self._waiting.get()
            while not self._waiting.empty() and len(rows) < MOST_AT_ONCE:
                rows += self._waiting.get()
            try:
                file = file or Records(keeping.file)
                file.write(rows)
            except Exception:
                logger.exception("answers could not be recorded")
                self._lost.inc(len({row.id for row in rows}))
                file = None
                time.sleep(PAUSE_S)

    def _rows(self, one: Answered, keep: bool) -> Iterator[Recorded]:
        now, found = time.time(), outcomes(one.answer)
        given = inputs(one.request) if keep else [None] * len(found)
        for place, ((answer, said), text) in enumerate(zip(found, given, strict=True)):
            kept = said if keep else None
            yield Recorded(one.id, place, self._model, self._version, now, one.seconds, answer, text, kept, one.shadow)


def outcomes(body: Any) -> list[tuple[str | None, str | None]]:
    """What an answer says about each input: its class or a digest of its text, and the text.

    Args:
        body: the answer of the contract, to one input or to a list. Other kinds have neither a class nor a text.
    """
    found = [_outcome(item) for item in body] if isinstance(body, list) else [_outcome(body)]
    # The answer to a single input is a list of classes or of drawn names, of which the first counts.
    single = isinstance(body, list) and isinstance(body[0], dict) and not body[0].keys().isdisjoint(("label", "generated_text"))
    return found[:1] if single else found


def _outcome(item: Any) -> tuple[str | None, str | None]:
    first = item[0] if isinstance(item, list) and item else item  # the most probable class, or the first of several names
    if not isinstance(first, dict):
        return None, None
    for key in TEXTS:
        if isinstance(first.get(key), str):
            return digest(first[key]), first[key]
    if "labels" in first:  # with the importance of each word
        return _outcome(first["labels"])
    return (first["label"], None) if isinstance(first.get("label"), str) else (None, None)


def inputs(body: object) -> list[str]:
    """The inputs of an accepted request, those that are not texts as JSON."""
    request: Any = parse_body(body)
    given = request["inputs"]
    return [one if isinstance(one, str) else json.dumps(one) for one in (given if isinstance(given, list) else [given])]
