"""The methods that use the common training loop."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn

from models.text.special import SPECIAL_TOKENS
from models.text.vectors import VOCABULARY, WordVectors
from models.text.words import WordVocabulary
from pipelines.embedding.elmo import build_elmo, perplexity, split_corpus
from pipelines.embedding.made import Made
from pipelines.embedding.ngram_lm import build_ngram_lm, perplexities
from pipelines.embedding.sentences import read_corpus
from pipelines.paths import DATA
from pipelines.settings.params import Params
from pipelines.settings.vectors import ElmoVectors, NgramVectors
from pipelines.store import Rows, Split
from pipelines.training.fit import Job, fit
from pipelines.training.work import Learned, Report
from pipelines.training.world import ALONE, World


def learn(name: str, params: Params, checkpoints: Path, report: Report, world: World | None) -> Learned:
    """See Learner."""
    settings = params.method(name)
    if not isinstance(settings, NgramVectors | ElmoVectors):
        raise ValueError(f"{name} does not use the common training loop")
    rows = _rows(settings)
    job = Job(
        train=rows["train"],
        valid=rows["valid"],
        params=settings.train,
        seed=params.seed,
        device=params.device,
        precision=params.precision,
        checkpoints=checkpoints,
    )
    weights, history = fit(_model(settings, params, rows["train"]), job, report, world or ALONE)
    return Learned({key: tensor.numpy() for key, tensor in weights.items()}, history)


def finish(
    settings: NgramVectors | ElmoVectors, params: Params, weights: Mapping[str, NDArray[Any]], provenance: Mapping[str, object]
) -> Made:
    """Extract the vectors from the trained model, and evaluate it on the test split."""
    folder, rows = DATA / settings.data, _rows(settings)
    state = {key: torch.from_numpy(array) for key, array in weights.items()}
    vocabulary = WordVocabulary.load(folder / VOCABULARY)
    if isinstance(settings, NgramVectors):
        order, size = params.order(folder.name), len(SPECIAL_TOKENS) + len(vocabulary)
        model = build_ngram_lm(settings, size, order, rows["train"], params.seed)
        model.load_state_dict(state)
        matrix = model.embedding.weight.detach()[len(SPECIAL_TOKENS) :].numpy()
        return Made(WordVectors(vocabulary, matrix, provenance), perplexities(model, folder, size, order))
    made = build_elmo(settings, vocabulary, len(rows["train"]), params.seed)
    made.model.load_state_dict(state)
    measured = {
        "perplexity": perplexity(made.model, rows["test"], settings.train.batch_units),
        "sentences": len(rows["train"]),
    }
    return Made(WordVectors(vocabulary, made.words(), provenance), measured, made)


def _rows(settings: NgramVectors | ElmoVectors) -> Mapping[str, Rows]:
    """Rows for training and validation; for ELMo also for testing."""
    folder = DATA / settings.data
    if isinstance(settings, ElmoVectors):
        return split_corpus(settings, read_corpus(folder / "train"))
    return {split: Split(folder / split) for split in ("train", "valid")}


def _model(settings: NgramVectors | ElmoVectors, params: Params, train: Rows) -> nn.Module:
    folder = DATA / settings.data
    vocabulary = WordVocabulary.load(folder / VOCABULARY)
    if isinstance(settings, ElmoVectors):
        return build_elmo(settings, vocabulary, len(train), params.seed).model
    return build_ngram_lm(settings, len(SPECIAL_TOKENS) + len(vocabulary), params.order(folder.name), train, params.seed)
