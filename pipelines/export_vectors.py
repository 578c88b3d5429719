"""Stage `export-vectors`: word vectors become a bundle that serving loads. `python -m pipelines.export_vectors vectors`."""

import shutil
from pathlib import Path

import torch

from pipelines.embedding.contextual import Contextual
from pipelines.onnx_export.context import context_graph
from pipelines.onnx_export.graph import export_graph
from pipelines.params import load_params
from pipelines.paths import BUNDLES, METRICS, VECTORS
from pipelines.settings.vectors import Vectors
from pipelines.stage import run_stage, write_json
from serving.bundle import CHARACTERS, Bundle


def export_vectors(settings: Vectors, made: Path, folder: Path) -> float:
    """Write the bundle: the vectors of the two chosen methods, and the graph of the contextual ones.

    Args:
        settings: see params.yaml.
        made: what the embed stage wrote, a folder for each method.
        folder: replaced if there is one.

    Returns:
        the largest difference between torch's and onnxruntime's outputs, see `export_graph`.
    """
    shutil.rmtree(folder, ignore_errors=True)
    limits = settings.export
    methods = (limits.known, limits.unknown)
    for method in methods:
        shutil.copytree(made / method, folder / method)
    contextual = Contextual.load(settings.methods.elmo, made / "elmo")
    torch.manual_seed(0)  # of the examples that the proof feeds
    error = export_graph(context_graph(contextual.model), folder)
    contextual.speller.characters.save(folder / CHARACTERS)
    Bundle.write(
        folder, task="vectors", kind="vectors", methods=methods, max_length=limits.max_length, max_words=limits.max_words
    )
    return error


def main(name: str) -> None:
    """Write build/bundles/vectors and metrics/export/vectors.json."""
    error = export_vectors(load_params().vectors, VECTORS, BUNDLES / name)
    write_json(METRICS / "export" / f"{name}.json", {"onnx_max_abs_error": error})


if __name__ == "__main__":
    run_stage(main)
