"""The translator's ONNX graph."""

from pathlib import Path
from typing import Any

import torch

from models.beam import Options
from models.recurrent.affine import MakeAffine, exact
from models.translation.graph import TranslatorGraph
from models.translation.int8 import int8
from models.translation.translator import Translator
from pipelines.kinds.translation.settings import TranslationTask
from pipelines.onnx_export.examples import ROWS, UNITS, ids, lengths
from pipelines.onnx_export.graph import Graph, Inputs
from serving.bundle import Decoding

BEAMS = (4, 1, 3)  # widths of the examples' beams


def graphs(model: Translator, task: TranslationTask) -> list[Graph]:
    """See `pipelines.kinds.parts.Graphs`."""
    return [graph(model, int8 if task.export.weights == "int8" else exact)]


def graph(model: Translator, make: MakeAffine) -> Graph:
    """Beam search as a graph; `make` builds the affine maps in the decoder's step."""

    def example(batch: int, length: int) -> Inputs:
        first = torch.full((BEAMS[batch % len(BEAMS)],), -torch.inf)
        first[0] = 0
        options = Options(*(torch.tensor([value]) for value in (1.0, 0.0, 0.2, 2, 3, len(first))))
        source = ids(model.decoder.embedding.num_embeddings, batch, length)
        return {"source": source, "source_lengths": lengths(batch, length), "first": first, **options._asdict()}

    return Graph(
        "model",
        TranslatorGraph(model, make),
        example,
        {"source": UNITS, "source_lengths": ROWS, "first": {0: "beams"}},
        ["tokens", "scores", "attention", "trace_tokens", "trace_rows", "trace_sums"],
        proved=("scores",),
        rounded=make is not exact,
        choices="tokens",
        loops=True,
    )


def description(_: Translator, task: TranslationTask, __: Path) -> dict[str, Any]:
    """See `pipelines.kinds.parts.Graphs`."""
    decoding = Decoding.model_validate(task.export.model_dump(include={*Decoding.model_fields}))
    return {"decoding": decoding, "language": task.prepare.source, "max_sentences": task.export.max_sentences}
