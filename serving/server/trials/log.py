"""The log of trials, which nginx writes, see nginx.conf. A shadow may run for weeks, so the log must not fill the disk."""

import asyncio
import logging
from typing import Final

from serving.server.instance import Instance
from serving.server.proxy import Proxy

LOG: Final = "trials.log"
OLDER: Final = "trials.log.1"  # what was written before the log became too large
LARGEST: Final = 16 * 2**20  # bytes, about 100,000 requests
ROTATE_S: Final = 60.0  # between two times; the log can only exceed its limit for so long
logger = logging.getLogger(__name__)


def empty(instance: Instance) -> None:
    """Remove what the log says about trials that are over."""
    (instance.logs / OLDER).unlink(missing_ok=True)
    (instance.logs / LOG).write_bytes(b"")


def rotate(instance: Instance) -> None:
    """Begin a new log if the present one is large. The one before is kept, and the one before that is gone."""
    log = instance.logs / LOG
    if log.is_file() and log.stat().st_size > LARGEST:
        log.replace(instance.logs / OLDER)
        Proxy(instance).reopen_logs()


async def keep_small(instance: Instance) -> None:
    """Rotate the log whenever it is large, without an end."""
    while True:
        try:
            rotate(instance)
        except OSError:
            logger.exception("the log of trials cannot be rotated")
        await asyncio.sleep(ROTATE_S)
