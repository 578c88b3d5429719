"""Takes feedback on recorded answers, and deletes what has been kept long enough."""

import asyncio
import logging
import sqlite3
import time
import zipfile
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Final, TypeVar

from aiohttp import web

from serving.bundle import MANIFEST, Bundle
from serving.contract import feedback as contract
from serving.contract.faults import NO_RECORDS, UNKNOWN_ANSWER, ErrorDetail, RequestError
from serving.contract.strict import Strict
from serving.records import TEXT, Feedback, Keeping, Recorded, Records, digest
from serving.server.instance import Instance
from serving.telemetry.metrics import FEEDBACK

PURGE_S: Final = 60.0  # seconds between two times; the number of records can only exceed its limit for so long
GAP_S: Final = 0.2  # between two steps of purging; a process that waits to write looks every 0.1 s whether it can
WAITS_S: Final = (0, 0.05, 0.2, 0.5)  # before each look for a record
OTHER: Final = "other"  # counts classes that the model does not know, of which clients could send any number
T = TypeVar("T")
logger = logging.getLogger(__name__)


class RefusedError(Exception):
    """A request about a record cannot be fulfilled.

    Args:
        status: HTTP status.
        detail: what is wrong.
    """

    def __init__(self, status: int, detail: ErrorDetail) -> None:
        super().__init__(detail.message)
        self.status, self.detail = status, detail


class FeedbackApi:
    """The records of a server's answers, for clients. All access to the file is in one thread.

    Args:
        instance: the server's folder.
        keeping: what the server keeps.
    """

    def __init__(self, instance: Instance, keeping: Keeping) -> None:
        self._instance, self._keeping = instance, keeping
        self._labels: dict[tuple[str, str], frozenset[str]] = {}

    async def running(self, _: web.Application) -> AsyncIterator[None]:
        """Keep the file open, and purge it now and then, while the application runs."""
        with ThreadPoolExecutor(1) as self._thread:
            self._records = await self._in_thread(partial(Records, self._keeping.file))
            purging = asyncio.create_task(self._purge())
            yield
            purging.cancel()
            with suppress(asyncio.CancelledError):
                await purging
            await self._in_thread(self._records.close)

    async def judge(self, request: web.Request) -> web.Response:
        """Keep what is right."""
        given = contract.parse_feedback(await request.read())
        found = await self._wait_for(partial(self._seen, given.id))
        record = next((record for record in found if record.place == given.input), None)
        if record is None:
            raise RequestError("invalid_feedback", f"input: the request had {len(found)} inputs, and their places begin at 0")
        expected, text = _expected(given, record), given.text if self._keeping.inputs else None
        now, right = time.time(), expected == record.answer
        row = Feedback(record.id, record.place, record.model, record.version, now, expected, right, text)
        if await self._in_thread(partial(self._records.judge, row)):
            self._count(row, OTHER if given.text is None else "")
        return _answer(contract.Judged(id=row.id, model=row.model, version=row.version, right=row.right))

    async def forget(self, request: web.Request) -> web.Response:
        """Delete the record of an answer and the feedback on it."""
        identity = request.match_info["id"]
        await self._wait_for(partial(self._records.forget, identity))
        return _answer(contract.Deleted(deleted=True))

    def _seen(self, identity: str) -> list[Recorded]:
        """The records of an answer that somebody saw."""
        return [record for record in self._records.of(identity) if not record.shadow]

    async def _wait_for(self, find: Callable[[], T]) -> T:
        """What is found in the records; waits a little, because a worker writes them after its answer.

        Raises:
            RefusedError: nothing is found.
        """
        for wait_s in WAITS_S:
            await asyncio.sleep(wait_s)
            if found := await self._in_thread(find):
                return found
        raise RefusedError(404, UNKNOWN_ANSWER)

    def _count(self, row: Feedback, otherwise: str) -> None:
        label = row.expected if row.expected in self._known(row.model, row.version) else otherwise
        for right in (True, False):  # both, so that a rate of 0 is known to be 0
            FEEDBACK.labels(row.model, row.version, label, str(right).lower()).inc(right == row.right)

    def _known(self, model: str, version: str) -> frozenset[str]:
        """The classes of a version of a model; none as long as this server has no archive of it."""
        if (model, version) not in self._labels:
            path = self._instance.store / f"{model}-{version}.mar"
            with suppress(OSError, zipfile.BadZipFile, LookupError, ValueError), zipfile.ZipFile(path) as archive:
                self._labels[model, version] = frozenset(Bundle.model_validate_json(archive.read(MANIFEST)).labels)
        return self._labels.get((model, version), frozenset())

    async def _in_thread(self, work: Callable[[], T]) -> T:
        """Do something with the file in its thread. Raises RefusedError if the file cannot be read or written."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except sqlite3.Error as error:
            logger.exception("the records cannot be read or written")
            raise RefusedError(503, NO_RECORDS) from error

    async def _purge(self) -> None:
        while True:
            more = False
            with suppress(RefusedError):  # it is in the log
                more = await self._in_thread(partial(self._records.purge, self._keeping.days))
            await asyncio.sleep(GAP_S if more else PURGE_S)


def _answer(content: Strict) -> web.Response:
    return web.Response(body=content.model_dump_json().encode(), content_type="application/json")


def _expected(given: contract.Feedback, record: Recorded) -> str:
    """The right class, or the digest of the right text.

    Raises:
        RequestError: feedback of this form does not fit the answer.
    """
    if record.answer is None:
        raise RequestError(
            "invalid_feedback", f"the answers of {record.model} are neither classes nor texts, so they take no feedback"
        )
    if given.text is not None and record.answer.startswith(TEXT):
        return digest(given.text)
    if given.label is not None and not record.answer.startswith(TEXT):
        return given.label
    needed = "text" if record.answer.startswith(TEXT) else "label"
    raise RequestError("invalid_feedback", f'{record.model} answers with a {needed}, so send its "{needed}"')
