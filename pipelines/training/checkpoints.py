"""Where a training job's checkpoints are: none goes on from another job's, and a finished one leaves none behind."""

import hashlib
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

CODE = ("models", "pipelines/training")


def fingerprint(settings: Iterable[str], data: Path) -> str:
    """Changes with anything that the final weights depend on: settings, data, code.

    Args:
        settings: as text.
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
    """Write a checkpoint, whole or not at all."""
    import torch  # who has checkpoints removed may have trained without it

    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    torch.save(state, unfinished)
    unfinished.replace(path)
