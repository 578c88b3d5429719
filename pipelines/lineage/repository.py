"""What Git knows: commits, and the states of dvc.lock."""

import hashlib
import subprocess
from dataclasses import dataclass
from typing import Final

from pipelines.paths import LOCK

SHORT: Final = 8  # digits of a commit in texts


@dataclass(frozen=True)
class Commit:
    """A commit of this repository.

    Attributes:
        date: of the commit, in ISO 8601 form.
        subject: first line of its message; may be empty.
    """

    date: str
    subject: str


def find_commit(sha: str) -> Commit | None:
    """A commit; None if this clone does not have it."""
    found = _git("show", "--no-patch", "--format=%cI%n%s", f"{sha}^{{commit}}")
    date, _, subject = found.decode(errors="replace").partition("\n")
    return Commit(date, subject.strip()) if date else None


def lock_found(sha256: str, commit: str) -> str:
    """Where dvc.lock has a sha256: in a commit or in the working tree; empty if in neither."""
    if _sha256(_git("show", f"{commit}:{LOCK}")) == sha256:
        return f"commit {commit[:SHORT]}"
    return "the working tree" if LOCK.exists() and _sha256(LOCK.read_bytes()) == sha256 else ""


def recorded_in(md5: str) -> str:
    """Where dvc.lock first recorded an output with a digest: in a commit or in the working tree; empty if nowhere."""
    commits = _git("log", "--format=%H", f"-S{md5}", "--", str(LOCK)).decode().split()
    if commits:
        return f"commit {commits[-1][:SHORT]}"
    return "the working tree" if LOCK.exists() and md5 in LOCK.read_text(encoding="utf-8") else ""


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest() if content else ""


def _git(*arguments: str) -> bytes:
    """What a command of Git prints; nothing if it fails."""
    return subprocess.run(["git", *arguments], capture_output=True, check=False).stdout  # noqa: S603, S607 - the user's own git
