"""Texts that resemble requests."""

from pathlib import Path

from pipelines.data.prepared import read_texts
from pipelines.packaging.texts import SAMPLE


def held_out(prepared: Path, column: str) -> list[str]:
    """The texts of the validation rows, and training rows if there are too few.

    Training rows are not like requests where a task has more of them than it was given: copies without accents, joined sentences,
    entries of a dictionary. And a model is surer of their classes.
    """
    texts = read_texts(prepared, "valid")[column]
    return texts if len(texts) >= SAMPLE else texts + read_texts(prepared, "train")[column]
