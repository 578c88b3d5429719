"""Stage `export-vectors`: convert word vectors to a bundle for serving. `python -m pipelines.stages.export_vectors VECTORS`."""

import shutil
from pathlib import Path

from models.text.json_files import write_json
from pipelines.paths import BUNDLES, METRICS, VECTORS
from pipelines.settings.params import load_params
from pipelines.settings.section import NONE
from pipelines.settings.vectors import VectorsExport
from pipelines.stage import run_stage
from serving.bundle import CHARACTERS, Bundle


def export_vectors(name: str, limits: VectorsExport, made: Path, folder: Path) -> dict[str, float]:
    """Write the bundle: the vectors of the chosen methods, and the graph of the contextual method, if any.

    Args:
        name: name of the block of vectors.
        limits: its settings.
        made: output of the embed stage: a folder per block of vectors, with one per method inside.
        folder: folder of the bundle, replaced if it exists.

    Returns:
        if there is a graph, the largest difference between torch's and onnxruntime's outputs, see `export_graph`.
    """
    shutil.rmtree(folder, ignore_errors=True)
    for path in limits.answering:
        shutil.copytree(made / path, folder / Path(path).name)
    contextual = limits.contextual != NONE
    measured = {"onnx_max_abs_error": _export_contextual(made / limits.contextual, folder)} if contextual else {}
    Bundle.write(
        folder,
        task=name,
        kind="vectors",
        methods=tuple(Path(path).name for path in limits.answering),
        max_length=limits.max_length,
        max_words=limits.max_words if contextual else None,
    )
    return measured


def _export_contextual(made: Path, folder: Path) -> float:
    import torch  # needed for contextual vectors only; its import takes longer than the rest of the stage

    from pipelines.embedding.contextual import Contextual
    from pipelines.onnx_export.context import context_graph
    from pipelines.onnx_export.graph import export_graph

    model = Contextual.load(made)
    torch.manual_seed(0)  # for the example inputs of the comparison with torch
    error = export_graph(context_graph(model.model), folder)
    model.speller.characters.save(folder / CHARACTERS)
    return error


def main(name: str) -> None:
    """Write build/bundles/VECTORS and metrics/export/VECTORS.json."""
    measured = export_vectors(name, load_params().word_vectors(name).export, VECTORS, BUNDLES / name)
    write_json(METRICS / "export" / f"{name}.json", measured)


if __name__ == "__main__":
    run_stage(main)
