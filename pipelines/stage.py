"""What every stage's entry point does alike: one clear line and a non-zero exit when something is wrong."""

import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from errno import ENOSPC
from pathlib import Path

from rich.console import Console

from pipelines.progress import heartbeat

DIGITS = 6  # of a written number: enough for every comparison, few enough that files stay the same on another machine

# What safetensors and tokenizers, SQLite, numpy and torch say of a full disk, whose errors have no number.
FULL = re.compile(r"No space left on device|disk is full|\d+ requested and \d+ written|iostream error")


class StageError(Exception):
    """Something the user can mend. The message says what is wrong and what to do about it, in one line."""


def run_stage(main: Callable[[str], None]) -> None:
    """Call `main` with the stage's one command line argument; turn what the user can mend into one line and exit status 1.

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
    """Whether a write for which there was no room is behind an error."""
    return any((isinstance(cause, OSError) and cause.errno == ENOSPC) or FULL.search(str(cause)) for cause in causes(error))


def first_cause(error: BaseException) -> str:
    """What went wrong in the first place, without the words that each library wraps around it: one line."""
    *_, first = causes(error)
    return (str(first).strip() or type(first).__name__).splitlines()[0]


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error, what it was raised for, and so on."""
    cause: BaseException | None = error
    while cause:
        yield cause
        cause = cause.__cause__ or cause.__context__


def fail(message: str) -> None:
    """Print one line on standard error and exit with status 1."""
    Console(stderr=True).print(f"error: {message}", style="bold red", markup=False, highlight=False, soft_wrap=True)
    raise SystemExit(1)


def threads() -> int:
    """Cores that a stage may use: OMP_NUM_THREADS, which stages that run side by side are given.

    Where it is not set: those that this process may run on, and no more than a container's limit.
    """
    given = os.environ.get("OMP_NUM_THREADS", "")
    if given.isdecimal() and int(given):
        return int(given)
    from joblib import cpu_count  # takes a fifth of a second to import, and a stage that make runs is given its number

    return int(cpu_count())


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Write a metrics file: readable, stable under version control, never half-written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    partial.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    partial.replace(path)


def rounded(values: Mapping[str, str | int | float]) -> dict[str, str | int | float]:
    """The values, those with a fraction rounded to DIGITS."""
    return {name: round(value, DIGITS) if isinstance(value, float) else value for name, value in values.items()}
