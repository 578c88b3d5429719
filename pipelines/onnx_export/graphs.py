"""Each task model's graphs with examples of their inputs."""

import torch
from torch import nn

from models.attentive_classifier import AttentiveClassifier
from models.beam import Options
from models.classifier import Classifier
from models.graphs import AttentiveClassifierGraph, ClassifierGraph, LanguageModelGraph, TranslatorGraph
from models.language_model import LanguageModel
from models.recurrent.affine import MakeAffine, exact
from models.seq2seq.translator import Translator
from pipelines.onnx_export.examples import ROWS, UNITS, ids, lengths
from pipelines.onnx_export.graph import Graph, Inputs

BEAMS = (4, 1, 3)  # widths of the examples' beams


def graphs_of(model: nn.Module, make: MakeAffine = exact) -> list[Graph]:
    """What to export of a task model, with affine maps of this kind in the step of a translator.

    Raises:
        TypeError: a model without a definition here.
    """
    if isinstance(model, Classifier):
        return [_classifier(model)]
    if isinstance(model, AttentiveClassifier):
        return [_attentive_classifier(model)]
    if isinstance(model, LanguageModel):
        return [_language_model(model)]
    if isinstance(model, Translator):
        return [_translator(model, make)]
    raise TypeError(f"no graphs are defined for {type(model).__name__}")


def _classifier(model: Classifier) -> Graph:
    def example(batch: int, length: int) -> Inputs:
        return {"characters": ids(model.embedding.num_embeddings, batch, length), "lengths": lengths(batch, length)}

    return Graph("model", ClassifierGraph(model), example, {"characters": UNITS, "lengths": ROWS}, ["logits"])


def _attentive_classifier(model: AttentiveClassifier) -> Graph:
    def example(batch: int, length: int) -> Inputs:
        return {"words": ids(model.embedding.num_embeddings, batch, length), "lengths": lengths(batch, length)}

    dynamic = {"words": UNITS, "lengths": ROWS}
    return Graph("model", AttentiveClassifierGraph(model), example, dynamic, ["logits", "importances"])


def _language_model(model: LanguageModel) -> Graph:
    def example(batch: int, length: int) -> Inputs:
        return {
            "characters": ids(model.embedding.num_embeddings, batch, length),
            "label": torch.randint(model.label.num_embeddings, (batch,)),
            "state": torch.randn(batch, model.rnn.state_size),
        }

    dynamic = {"characters": UNITS, "label": ROWS, "state": ROWS}
    return Graph("model", LanguageModelGraph(model), example, dynamic, ["logits", "next_state"])


def _translator(model: Translator, make: MakeAffine) -> Graph:
    def example(batch: int, length: int) -> Inputs:
        first = torch.full((BEAMS[batch % len(BEAMS)],), -torch.inf)
        first[0] = 0
        options = Options(*(torch.tensor([value]) for value in (1.0, 0.0, 0.2, 2, 3, len(first))))
        source = ids(model.decoder.embedding.num_embeddings, batch, length)
        return {"source": source, "source_lengths": lengths(batch, length), "first": first, **options._asdict()}

    dynamic = {"source": UNITS, "source_lengths": ROWS, "first": {0: "beams"}}
    outputs, module = ["tokens", "scores", "attention"], TranslatorGraph(model, make)
    return Graph(
        "model",
        module,
        example,
        dynamic,
        outputs,
        proved=("scores",),
        rounded=make is not exact,
        choices="tokens",
        loops=True,
    )
