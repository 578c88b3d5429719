"""Common entry point of all stages: an error becomes one clear line and a non-zero exit status."""

import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from errno import ENOSPC
from pathlib import Path

from rich.console import Console

from pipelines.progress import heartbeat

DIGITS = 6  # decimals of a written number: enough for every comparison, few enough to give the same files on another machine

# How safetensors and tokenizers, SQLite, numpy and torch report a full disk: their errors have no errno.
FULL = re.compile(r"No space left on device|disk is full|\d+ requested and \d+ written|iostream error")


class StageError(Exception):
    """An error that the user can fix. The message says in one line what is wrong and what to do about it."""


def run_stage(main: Callable[[str], None]) -> None:
    """Call `main` with the stage's one command line argument; turn errors that the user can fix into one line and exit status 1.

    Raises:
        SystemExit: with status 1 after a StageError, a missing input file or a full disk.
    """
    if len(sys.argv) != 2:
        raise SystemExit(f"usage: {Path(sys.argv[0]).stem} NAME")
    try:
        with heartbeat(f"{Path(sys.argv[0]).stem} {sys.argv[1]}"):
            main(sys.argv[1])
    except StageError as error:
        fail(str(error))
    except FileNotFoundError as error:
        fail(f"{error.filename} is missing; `dvc repro` makes it from the stages before")
    except Exception as error:
        if not disk_is_full(error):
            raise
        fail(f"the disk is full ({getattr(error, 'filename', None) or 'while writing'}); free some space and run it again")


def disk_is_full(error: BaseException) -> bool:
    """Whether an error was caused by a write to a full disk."""
    return any((isinstance(cause, OSError) and cause.errno == ENOSPC) or FULL.search(str(cause)) for cause in causes(error))


def first_cause(error: BaseException) -> str:
    """The message of the root cause in one line, without the messages of the libraries that wrapped it."""
    *_, first = causes(error)
    return (str(first).strip() or type(first).__name__).splitlines()[0]


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error, its cause, the cause of that, and so on."""
    cause: BaseException | None = error
    while cause:
        yield cause
        cause = cause.__cause__ or cause.__context__


def fail(message: str) -> None:
    """Print one line on standard error and exit with status 1."""
    Console(stderr=True, emoji=False).print(f"error: {message}", style="bold red", markup=False, highlight=False, soft_wrap=True)
    raise SystemExit(1)


def threads() -> int:
    """Number of cores that a stage may use: OMP_NUM_THREADS, which is set for stages that run side by side.

    If it is not set: the cores that this process may run on, at most the container's limit.
    """
    given = os.environ.get("OMP_NUM_THREADS", "")
    if given.isdecimal() and int(given):
        return int(given)
    from joblib import cpu_count  # takes 0.2 s to import, and is not needed for stages run by make

    return int(cpu_count())


def rounded(values: Mapping[str, str | int | float]) -> dict[str, str | int | float]:
    """The values, with floats rounded to DIGITS decimals."""
    return {name: round(value, DIGITS) if isinstance(value, float) else value for name, value in values.items()}
