"""Check that the served graphs give the same outputs on other CPUs: `python -m benchmarks.cpus`, after `make repro`.

Each graph in build/bundles runs twice on the same random inputs: on this machine's CPU and on an emulated Haswell, which has
AVX2 but neither AVX-512 nor VNNI. The compared outputs are those that the export compares with torch; for a translator these are
the scores. The largest difference is `cpu_difference` in benchmarks/results/translation.json. This needs QEMU's user mode
(`apt-get install qemu-user`).
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from benchmarks.emulated import run_emulated, unavailable
from pipelines.embedding.contextual import Contextual
from pipelines.kinds import parts
from pipelines.onnx_export.context import context_graph
from pipelines.onnx_export.graph import Graph, gaps
from pipelines.paths import BUNDLES, PREPARED, VECTORS
from pipelines.report.record import record
from pipelines.settings.params import load_params
from pipelines.settings.section import NONE
from serving.predictors.session import Session

ROWS, LENGTH = 5, 9  # shape of the random inputs


def served() -> Iterator[tuple[Path, Graph]]:
    """Yield each graph file in build/bundles with the graph it was exported from."""
    params = load_params()
    for task, block in params.tasks.items():
        for graph in parts.graphs(block).graphs(parts.build(block, PREPARED / task), block):
            yield BUNDLES / task / f"{graph.name}.onnx", graph
    for name, vectors in params.vectors.items():
        if vectors.export.contextual != NONE:
            contextual = context_graph(Contextual.load(VECTORS / vectors.export.contextual).model)
            yield BUNDLES / name / f"{contextual.name}.onnx", contextual


def difference(path: Path, graph: Graph) -> float:
    """Return the largest output difference between this machine's CPU and the emulated one."""
    torch.manual_seed(0)
    inputs = {name: value.numpy() for name, value in graph.example(ROWS, LENGTH).items()}
    return float(np.max(list(gaps(graph, Session(path)(**inputs), run_emulated(path, inputs)).values())))  # max propagates NaN


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
