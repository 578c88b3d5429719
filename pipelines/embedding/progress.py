"""How far the training of word vectors is."""

import sys
from typing import Any

from tqdm import tqdm


def progress_bar(name: str, total: int, unit: str) -> "tqdm[Any]":
    """How far training is, how fast, and how long it will take; on a terminal alone."""
    return tqdm(total=total, desc=name, unit=f" {unit}", unit_scale=True, disable=not sys.stderr.isatty())
