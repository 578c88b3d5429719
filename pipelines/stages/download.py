"""Stage `download`: fetch one data set of the catalogue to `data/raw/<id>/` and verify its checksums.

Downloads are kept in `data/.cache/` under their sha256, because DVC empties a stage's output before it runs the stage: a rerun
resumes partial files (`<sha256>.part`) and downloads nothing twice. A file gets its final name only after verification, and the
output folder is replaced atomically, so a process killed at any time leaves nothing behind that a rerun would wrongly trust.
"""

import hashlib
import shutil
import tarfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from pipelines.data.catalogue import DataFile, Source, find_data_set, load_catalogue
from pipelines.data.fetch import Backoff, Report, SourceError, WrongContentError, describe, fetch
from pipelines.paths import CATALOGUE, RAW
from pipelines.stage import StageError, run_stage

CACHE = Path("data/.cache")


def download(name: str, backoff: Backoff) -> None:
    """Write the data set `name` to `data/raw/<name>/`, replacing existing files.

    Args:
        name: its id in the catalogue.
        backoff: waits between attempts.

    Raises:
        StageError: no such data set, no source has a file with the recorded checksum, or an archive lacks a member.
        OSError: writing failed, for example because the disk is full.
    """
    data_set = find_data_set(load_catalogue(CATALOGUE), name)
    CACHE.mkdir(parents=True, exist_ok=True)
    with _progress() as progress:
        files = []
        for file in data_set.files:
            report = _reporter(progress, file)
            files.append(acquire(file, report, backoff))
            report(file.size)
    _publish(files, RAW / name)


def acquire(file: DataFile, report: Report, backoff: Backoff) -> DataFile:
    """Make sure that the cache holds the file, from the first source that has it with the recorded checksum.

    Returns:
        the file as described for that source.

    Raises:
        StageError: all sources failed; the message gives the file and each source's error.
    """
    for source in file.sources:
        if _is_cached(file.by(source)):
            return file.by(source)
    failures = []
    for source in file.sources:
        try:
            _acquire_from(source, file.by(source), report, backoff)
        except SourceError as error:
            failures.append(f"{describe(source)}: {error}")
        else:
            return file.by(source)
    raise StageError(f"cannot get {file.name} from {'; nor from '.join(failures)}")


def verify(path: Path, file: DataFile) -> None:
    """Check the bytes at `path` against the catalogue.

    Raises:
        WrongContentError: they differ; the message gives the expected and the actual size or checksum.
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
        _acquire_from(source, file, report, backoff)  # the partial file of an earlier run may be at fault, not the source
    else:
        part.replace(_cached(file))


def _publish(files: Iterable[DataFile], out: Path) -> None:
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
        if file.name.endswith((".tgz", ".tar.gz", ".tar")):
            with tarfile.open(_cached(file)) as archive:
                _extract(archive, _wanted(archive.getnames(), file), folder)
        else:
            with ZipFile(_cached(file)) as zipped:
                for member in _wanted(zipped.namelist(), file):
                    zipped.extract(member, folder)
    except (BadZipFile, tarfile.TarError) as error:
        raise StageError(f"{file.name} cannot be unpacked ({error}); correct its entry in {CATALOGUE}") from error


def _extract(archive: tarfile.TarFile, names: list[str], folder: Path) -> None:
    """Extract files into a folder. `extractall` keeps them in it only since Python 3.11.4, and Debian 12 has an earlier one."""
    for name in names:
        path, content = folder / name, archive.extractfile(name)
        if not path.resolve().is_relative_to(folder.resolve()):
            raise tarfile.TarError(f"{name} is outside the folder")
        if content is not None:  # a file, not a folder
            path.parent.mkdir(parents=True, exist_ok=True)
            with content, path.open("wb") as written:
                shutil.copyfileobj(content, written)


def _wanted(names: list[str], file: DataFile) -> list[str]:
    """The names of an archive's members that the file's patterns match. Raises StageError for a pattern that matches none."""
    wanted = []
    for pattern in file.members:
        # An absolute pattern must match the whole path; a relative one would match a suffix of it.
        matching = [name for name in names if PurePosixPath("/", name).match(f"/{pattern}")]
        if not matching:
            raise StageError(f"{file.name} has no member {pattern!r}; correct its entry in {CATALOGUE}")
        wanted += matching
    return wanted


def _progress() -> Progress:
    console = Console(stderr=True, emoji=False, soft_wrap=True)
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
