"""Stage `download`: bring one data set of the catalogue to `data/raw/<id>/`, every byte of it verified.

Downloads live in `data/.cache/` under their sha256, because DVC empties a stage's output before it runs the stage: a rerun
continues partial files (`<sha256>.part`) and fetches nothing twice. A file takes its final name only once it is verified,
and the output folder appears whole or not at all, so a process killed at any moment leaves nothing that a rerun would trust.
"""

import hashlib
import shutil
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from pipelines.catalogue import DataFile, Source, find_data_set, load_catalogue
from pipelines.fetch import Backoff, Report, SourceError, WrongContentError, describe, fetch
from pipelines.paths import CATALOGUE, RAW
from pipelines.stage import StageError, run_stage

CACHE = Path("data/.cache")


def download(name: str, backoff: Backoff) -> None:
    """Write the data set `name` to `data/raw/<name>/`, replacing what is there.

    Args:
        name: its id in the catalogue.
        backoff: waits between attempts.

    Raises:
        StageError: no such data set, no source gives a file as the catalogue records it, or an archive lacks a member.
        OSError: the disk is full, for one.
    """
    data_set = find_data_set(load_catalogue(CATALOGUE), name)
    CACHE.mkdir(parents=True, exist_ok=True)
    with _progress() as progress:
        for file in data_set.files:
            report = _reporter(progress, file)
            acquire(file, report, backoff)
            report(file.size)
    _publish(data_set.files, RAW / name)


def acquire(file: DataFile, report: Report, backoff: Backoff) -> None:
    """Make sure that the cache holds the file, from the first source that gives it as the catalogue records it.

    Raises:
        StageError: none does; names the file and what each source failed on.
    """
    if _is_cached(file):
        return
    failures = []
    for source in file.sources:
        try:
            _acquire_from(source, file, report, backoff)
        except SourceError as error:
            failures.append(f"{describe(source)}: {error}")
        else:
            return
    raise StageError(f"cannot get {file.name} from {'; nor from '.join(failures)}")


def verify(path: Path, file: DataFile) -> None:
    """Check the bytes at `path` against the catalogue.

    Raises:
        WrongContentError: they differ; gives what was expected and what is there.
    """
    size = path.stat().st_size
    if size != file.size:
        raise WrongContentError(f"expected {file.size} bytes, got {size}; the file there has changed")
    with path.open("rb") as content:
        got = hashlib.file_digest(content, "sha256").hexdigest()
    if got != file.sha256:
        raise WrongContentError(f"expected sha256 {file.sha256}, got {got}; the file there has changed")


def _cached(file: DataFile) -> Path:
    return CACHE / file.sha256


def _is_cached(file: DataFile) -> bool:
    try:
        verify(_cached(file), file)
    except (FileNotFoundError, WrongContentError):
        return False
    return True


def _acquire_from(source: Source, file: DataFile, report: Report, backoff: Backoff) -> None:
    part = _cached(file).with_suffix(".part")
    resumed = part.exists()
    try:
        fetch(source, file.size, part, report, backoff)
        verify(part, file)
    except WrongContentError:
        part.unlink()
        if not resumed:
            raise
        _acquire_from(source, file, report, backoff)  # what an earlier run left may be to blame, not the source
    else:
        part.replace(_cached(file))


def _publish(files: tuple[DataFile, ...], out: Path) -> None:
    built, old = out.with_name(f".{out.name}.new"), out.with_name(f".{out.name}.old")
    for leftover in (built, old):
        shutil.rmtree(leftover, ignore_errors=True)
    built.mkdir(parents=True)
    for file in files:
        if file.members:
            _unpack(file, built)
        else:
            shutil.copyfile(_cached(file), built / file.name)
    if out.exists():
        out.replace(old)
    built.replace(out)
    shutil.rmtree(old, ignore_errors=True)


def _unpack(file: DataFile, folder: Path) -> None:
    try:
        with ZipFile(_cached(file)) as archive:
            for pattern in file.members:
                # An absolute pattern has to match the whole path; a relative one would match its end.
                names = [name for name in archive.namelist() if PurePosixPath("/", name).match(f"/{pattern}")]
                if not names:
                    raise StageError(f"{file.name} has no member {pattern!r}; correct its entry in {CATALOGUE}")
                archive.extractall(folder, names)
    except BadZipFile as error:
        raise StageError(f"{file.name} cannot be unpacked ({error}); correct its entry in {CATALOGUE}") from error


def _progress() -> Progress:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal)


def _reporter(progress: Progress, file: DataFile) -> Report:
    task = progress.add_task(file.name, total=file.size)
    return lambda have: progress.update(task, completed=have)


def main(name: str) -> None:
    """The stage's entry point."""
    download(name, Backoff())


if __name__ == "__main__":
    run_stage(main)
