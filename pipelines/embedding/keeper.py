"""Keeps the state after each training pass in a file, which is written atomically."""

from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from models.embeddings.passes import Reached
from pipelines.training.work import Report

LAST, PASSES = "last.safetensors", "passes"


class FileKeeper:
    """A keeper in a folder; see models.embeddings.passes.

    Args:
        folder: created if needed.
        report: called with the row of each finished pass after it has been saved.
    """

    def __init__(self, folder: Path, report: Report) -> None:
        self._path, self._report = folder / LAST, report

    @property
    def passes(self) -> int:
        """Number of finished passes."""
        if not self._path.exists():
            return 0
        with safe_open(self._path, "numpy") as file:  # does not load the arrays, which may be large
            return int(file.get_tensor(PASSES))

    def last(self) -> Reached | None:
        """The saved state, if there is one."""
        if not self._path.exists():
            return None
        arrays = load_file(self._path)
        return Reached(int(arrays.pop(PASSES)), arrays)

    def keep(self, reached: Reached) -> None:
        """Write the file and report."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self._path.with_suffix(".part")
        save_file({PASSES: np.array(reached.passes), **reached.arrays}, unfinished)
        unfinished.replace(self._path)
        self._report({"epoch": float(reached.passes)})
