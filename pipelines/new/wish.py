"""A user's request for a new task, and its result."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Wish:
    """A user's request.

    Attributes:
        name: of the new task.
        kind: of task, or vectors.
        data: files, folders, URLs or ids of data sets in the catalogue.
        columns: ours -> the files'.
        units: the model's input units; empty to choose them automatically.
        languages: of source and target, if given.
        methods: algorithms, only for word vectors; empty for the fast ones.
        inputs: additional input columns, only for series.
    """

    name: str
    kind: str
    data: Sequence[str]
    columns: Mapping[str, str]
    units: str
    languages: Sequence[str] = ()
    methods: Sequence[str] = ()
    inputs: Sequence[str] = ()


@dataclass(frozen=True)
class Made:
    """A new task, or new word vectors, after a trial.

    Attributes:
        params: params.yaml with it.
        catalogue: data/catalogue.yaml with it.
        found: a summary of the data, line by line.
        warnings: possible problems.
        example: the arguments of `seqline ask` after the name.
    """

    params: str
    catalogue: str
    found: Sequence[str]
    warnings: Sequence[str] = ()
    example: str = "TEXT"
