"""Checkpoints of a training job: it never resumes from another job's, and removes its own when it is finished."""

import hashlib
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

CODE = ("models", "pipelines/training", "pipelines/embedding")


def fingerprint(settings: Iterable[str], data: Path) -> str:
    """Hash of everything that the final weights depend on: settings, data and code.

    Args:
        settings: settings as text.
        data: folder of the arrays and vocabularies.
    """
    digest = hashlib.sha256("\n".join(settings).encode())
    code = [path for root in CODE for path in sorted(Path(root).rglob("*.py"))]
    arrays = sorted(path for path in data.rglob("*") if path.suffix in {".npy", ".json"})
    for path in [*code, *arrays]:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def forget(checkpoints: Path) -> None:
    """Remove a finished job's checkpoints."""
    shutil.rmtree(checkpoints, ignore_errors=True)


def save(state: Mapping[str, Any], path: Path) -> None:
    """Write a checkpoint atomically."""
    import torch  # not needed by methods that train without torch

    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    torch.save(state, unfinished)
    unfinished.replace(path)
