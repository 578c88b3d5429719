"""Do the served graphs compute the same on other processors? `python -m benchmarks.cpus`, after `repro`.

Each graph of build/bundles runs twice on the same random inputs: on this machine's processor, and on an emulated Haswell, which
has AVX2 but neither AVX-512 nor VNNI. The largest difference in any output that the export compares with torch's, of a translator
the scores, is `cpu_difference` of benchmarks/results/translation.json. It needs QEMU's user mode (`apt-get install qemu-user`).
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from benchmarks.emulated import run_emulated, unavailable
from pipelines.embedding.contextual import Contextual
from pipelines.models import build_model
from pipelines.onnx_export.context import context_graph
from pipelines.onnx_export.graph import Graph, gaps
from pipelines.onnx_export.graphs import graphs_of
from pipelines.params import load_params
from pipelines.paths import BUNDLES, PREPARED, VECTORS
from pipelines.record import record
from serving.session import Session

TASKS = ("surname", "names", "fr-en", "sentiment")
ROWS, LENGTH = 5, 9  # of the inputs


def served() -> Iterator[tuple[Path, Graph]]:
    """Each graph of build/bundles, and what it was exported from."""
    params = load_params()
    for task in TASKS:
        for graph in graphs_of(build_model(params.task(task), PREPARED / task)):
            yield BUNDLES / task / f"{graph.name}.onnx", graph
    contextual = context_graph(Contextual.load(params.vectors.methods.elmo, VECTORS / "elmo").model)
    yield BUNDLES / "vectors" / f"{contextual.name}.onnx", contextual


def difference(path: Path, graph: Graph) -> float:
    """The largest one between this machine's processor and the emulated one."""
    torch.manual_seed(0)
    inputs = {name: value.numpy() for name, value in graph.example(ROWS, LENGTH).items()}
    return float(np.max(list(gaps(graph, Session(path)(**inputs), run_emulated(path, inputs)).values())))  # NaN if one is


def main() -> None:
    """Print the difference of each graph, and record the largest."""
    if missing := unavailable():
        sys.exit(f"error: {missing}")
    found = {}
    for path, graph in served():
        found[path] = difference(path, graph)
        sys.stdout.write(f"{path}: {found[path]:.2g}\n")
    figures = {"cpu_difference": float(np.max(list(found.values())))}
    record("translation", "python -m benchmarks.cpus", ("numpy", "onnxruntime", "torch"), figures)


if __name__ == "__main__":
    main()
