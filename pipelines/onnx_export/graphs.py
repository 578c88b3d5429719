"""Each task model's graphs with examples of their inputs."""

import torch
from torch import nn

from models.attentive_classifier import AttentiveClassifier
from models.classifier import Classifier
from models.graphs import AttentiveClassifierGraph, ClassifierGraph, DecoderGraph, EncoderGraph, LanguageModelGraph
from models.language_model import LanguageModel
from models.translator import Translator
from pipelines.onnx_export.examples import ROWS, UNITS, ids, lengths
from pipelines.onnx_export.graph import Graph, Inputs


def graphs_of(model: nn.Module) -> list[Graph]:
    """What to export of a task model. Raises TypeError for a model without a definition here."""
    if isinstance(model, Classifier):
        return [_classifier(model)]
    if isinstance(model, AttentiveClassifier):
        return [_attentive_classifier(model)]
    if isinstance(model, LanguageModel):
        return [_language_model(model)]
    if isinstance(model, Translator):
        return [_encoder(model), _decoder(model)]
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


def _encoder(model: Translator) -> Graph:
    def example(batch: int, length: int) -> Inputs:
        return {"source": ids(model.decoder.embedding.num_embeddings, batch, length), "source_lengths": lengths(batch, length)}

    dynamic = {"source": UNITS, "source_lengths": ROWS}
    return Graph("encoder", EncoderGraph(model), example, dynamic, ["memory", "keys", "state"])


def _decoder(model: Translator) -> Graph:
    attention = model.decoder.attention

    def example(batch: int, length: int) -> Inputs:
        return {
            "previous": ids(model.decoder.embedding.num_embeddings, batch),
            "state": torch.randn(batch, attention.query.in_features),
            "memory": torch.randn(batch, length, attention.key.in_features),
            "keys": torch.randn(batch, length, attention.key.out_features),
            "source_lengths": lengths(batch, length),
        }

    dynamic = {"previous": ROWS, "state": ROWS, "memory": UNITS, "keys": UNITS, "source_lengths": ROWS}
    return Graph("decoder", DecoderGraph(model), example, dynamic, ["log_probs", "next_state", "attention"])
