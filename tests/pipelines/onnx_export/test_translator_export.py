"""The exported search finds the same hypotheses as the search in torch, at shapes and widths other than the example's."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray

from models.beam import Options
from models.names import CellName, ContextName
from models.recurrent.affine import exact
from models.text.special import SPECIAL_TOKENS
from models.translation.graph import TranslatorGraph
from models.translation.int8 import int8
from models.translation.teacher import Schedule
from models.translation.translator import Translator
from pipelines.kinds.translation.graphs import graph
from pipelines.onnx_export.graph import export_graph
from serving.predictors.session import Session

pytestmark = pytest.mark.slow

V = 40
Way = tuple[ContextName, CellName, int, bool]  # attention, cell, layers, input feeding
WAYS: list[Way] = [
    ("bahdanau", "gru", 1, False),
    ("general", "lstm", 2, True),
    ("multihead", "peephole", 1, False),
    ("dot", "gru", 1, False),  # whose keys and values are one tensor
    ("fixed", "rnn", 2, False),
]


def options_of(n_best: int, **chosen: Any) -> Options:
    """Options of a plain search, except for the given ones."""
    values = {"length_penalty": 1.0, "length_offset": 0.0, "coverage_penalty": 0.0, "min_length": 0, "ngram": 0, **chosen}
    return Options(**{name: torch.tensor([value]) for name, value in values.items()}, n_best=torch.tensor([n_best]))


def translator_of(way: Way, factor: float) -> Translator:
    """A translator with initial weights multiplied by a factor."""
    torch.manual_seed(0)
    attention, cell, layers, input_feeding = way
    sizes = {"embedding_size": 8, "encoder_size": 8, "hidden_size": 16, "attention_size": 8, "heads": 2, "layers": layers}
    chances = {"dropout": 0.1, "weight_dropout": 0.1, "label_smoothing": 0.1, "teacher": Schedule()}
    parts: dict[str, Any] = {"attention": attention, "cell": cell, "input_feeding": input_feeding, "bridge": "linear"}
    model = Translator(vocabulary_size=V, **(parts | sizes | chances)).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(factor)
    return model


@pytest.mark.parametrize("way", WAYS)
def test_in_int8_onnx_gives_the_scores_of_eager_torch(way: Way, tmp_path: Path) -> None:
    export_graph(graph(translator_of(way, 1.0), int8), tmp_path)  # compares them
    (loop,) = (node for node in onnx.load(tmp_path / "model.onnx").graph.node if node.op_type == "Loop")
    body = next(attribute.g for attribute in loop.attribute if attribute.name == "body")
    attention, _, layers, _ = way
    maps = 2 * layers + 1 + (attention != "multihead")  # of the layers, to the logits, and W_o if its inputs are bounded
    assert sum(node.op_type == "QuantizeLinear" for node in body.node) == maps


@pytest.mark.parametrize("way", WAYS)
def test_onnx_equals_eager(way: Way, tmp_path: Path) -> None:
    model = translator_of(way, 3.0)  # as confident as a trained one
    assert export_graph(graph(model, exact), tmp_path) < 1e-4
    search, eager = Session(tmp_path / "model.onnx"), TranslatorGraph(model)
    for rows, length, beams in ((1, 1, 1), (1, 12, 5), (6, 4, 2), (9, 17, 10)):
        source = torch.randint(len(SPECIAL_TOKENS), V, (rows, length))
        lengths = torch.cat((torch.tensor([length]), torch.randint(1, length + 1, (rows - 1,))))
        first = torch.full((beams,), -torch.inf)
        first[0] = 0
        for options in (
            options_of(1),
            options_of(beams, length_offset=5.0, coverage_penalty=0.3, min_length=3),
            options_of(beams, ngram=2, length_penalty=0.0),
        ):
            with torch.no_grad():
                expected = [e[:, : int(options.n_best)].numpy() for e in eager(source, lengths, first, *options)]
            inputs = {"source": source, "source_lengths": lengths, "first": first, **options._asdict()}
            found = [f[:, : int(options.n_best)] for f in search(**{name: value.numpy() for name, value in inputs.items()})]
            np.testing.assert_allclose(found[1], expected[1], atol=1e-4)  # -inf equals -inf
            clear = clearly_placed(expected[1])
            assert clear[:, 0].any()
            np.testing.assert_array_equal(found[0][clear], expected[0][clear])
            np.testing.assert_allclose(found[2][clear], expected[2][clear], atol=1e-4)


def clearly_placed(scores: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where a hypothesis's score is finite and differs from its neighbours' by more than rounding, [N, K]."""
    padded = np.pad(scores, ((0, 0), (1, 1)), constant_values=((0, 0), (np.inf, -np.inf)))
    with np.errstate(invalid="ignore"):  # -inf minus -inf
        gaps = -np.diff(padded, axis=1)
    return np.isfinite(scores) & (gaps[:, :-1] > 1e-3) & (gaps[:, 1:] > 1e-3)
