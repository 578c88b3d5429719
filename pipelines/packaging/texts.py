"""Statistics of texts as vectors, with which a server compares the texts that it gets (drift)."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from serving.bundle import GRAPH
from serving.contents import Spread
from serving.telemetry.meter import Text
from serving.telemetry.vectors import FloatVector, mean_of_units, ngram_vector

SAMPLE: Final = 512  # texts; enough for deciles and for the covariance of vectors
PER_DIMENSION: Final = 4  # fewest texts for each dimension of a covariance matrix
EMBEDDING_SIZE: Final = 16  # the principal components of the models' own vectors that are kept
UNIT_INPUTS: Final = {"words", "subwords", "source"}  # inputs of graphs that are ids of words or subwords


def described(folder: Path, texts: Sequence[Text]) -> dict[str, Any]:
    """The fields of `serving.contents.Reference` that describe what texts say. A repeated text counts once, as in a server.

    Args:
        folder: of the bundle.
        texts: measurements of the sample.
    """
    different = list({text.content: text for text in texts}.values())
    fields: dict[str, Any] = {"ngrams": _spread([ngram_vector(text.content) for text in different])}
    enough = len(different) >= PER_DIMENSION * EMBEDDING_SIZE
    table = _table(folder / GRAPH) if enough and (folder / GRAPH).is_file() else None
    if table is not None:
        units = _reduced(table, [text.ids for text in different])
        fields["embedding"] = _spread([mean_of_units(text.ids, units) for text in different])
        fields["units"] = base64.b64encode(units.tobytes())
    return fields


def _spread(vectors: Sequence[FloatVector]) -> Spread | None:
    """The mean and covariance of a sample; None if it is too small for its number of dimensions."""
    sample = np.array(vectors, dtype=np.float64)
    count, size = sample.shape
    if count < PER_DIMENSION * size:
        return None
    covariance = np.atleast_2d(np.cov(sample, rowvar=False))
    return Spread(mean=_short(sample.mean(axis=0)), covariance=[_short(row) for row in covariance], count=count)


def _short(numbers: NDArray[np.float64]) -> list[float]:
    """Numbers with six significant digits."""
    return [float(f"{number:.6g}") for number in numbers]


def _table(graph: Path) -> NDArray[np.floating] | None:
    """The embedding that a graph looks up by the ids of words or subwords, [V, d]; None if it reads something else."""
    import onnx  # takes long

    content = onnx.load(graph).graph
    tables = {table.name: table for table in content.initializer}
    for node in content.node:
        if node.op_type == "Gather" and node.input[0] in tables and node.input[1] in UNIT_INPUTS:
            table: NDArray[np.floating] = onnx.numpy_helper.to_array(tables[node.input[0]])
            return table
    return None


def _reduced(table: NDArray[np.floating], texts: Sequence[Sequence[int]]) -> NDArray[np.int8]:
    """The embedding on the principal components of the texts' mean vectors, in 8 bits, [V, EMBEDDING_SIZE].

    A distance in units of the standard deviation does not depend on a component's scale, so none is kept.
    """
    means = np.array([table[list(ids)].mean(axis=0) for ids in texts], dtype=np.float64)
    _, components = np.linalg.eigh(np.cov(means, rowvar=False))  # by ascending variance
    rows = (table - means.mean(axis=0)) @ components[:, -EMBEDDING_SIZE:]
    used = np.unique(np.concatenate([np.asarray(ids) for ids in texts]))
    largest = np.abs(rows[used]).max(axis=0)
    largest = np.maximum(largest, largest.max() / 1e6)  # a component may have no variance
    reduced: NDArray[np.int8] = np.clip(np.rint(rows * (127 / largest)), -127, 127).astype(np.int8)
    return reduced
