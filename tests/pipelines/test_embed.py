"""Each method leaves vectors that load, say where they are from, and stand in the common table."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.text.one_hot import Embedding, OneHot
from models.text.vectors import WordVectors
from pipelines import embed as stage
from pipelines.compare import load_embedding
from pipelines.embed import embed
from pipelines.embedding import cooccurring, fitted
from pipelines.embedding.contextual import Contextual
from pipelines.evaluation import vectors as evaluation
from pipelines.evaluation.vectors import evaluate_vectors
from pipelines.params import Params, load_params
from pipelines.preparation.words import prepare_words
from pipelines.settings.corpora import WordsPrepare
from pipelines.stage import StageError

TRAINED = ["skip-gram", "cbow", "fasttext", "glove"]
SMALL = {"dimension": 8, "epochs": 1}
TEXT = ["the king and the queen rule", "a man and a woman walk", "the man is a king", "the woman is a queen"] * 30


@pytest.fixture
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """params.yaml with every method small, in a place where its corpus is prepared."""
    content: dict[str, Any] = load_params().model_dump(by_alias=True)
    for method in TRAINED:
        content["vectors"]["methods"][method] |= SMALL
    content["vectors"]["methods"]["fasttext"]["buckets"] = 50
    content["vectors"]["methods"]["glove"]["memory_mib"] = 1
    content["vectors"]["methods"]["elmo"] |= {"sentences": 60, "held_out": 5}
    content["vectors"]["methods"]["elmo"]["model"] |= {"size": 4, "filters": [3, 2], "cutoffs": [8]}
    content["vectors"]["evaluate"] |= {
        "neighbours_of": ["king", "zebra"],
        "groups": {"animals": ["zebra"], "people": ["king", "queen", "man"]},
    }
    monkeypatch.setattr(stage, "DATA", tmp_path)
    monkeypatch.setattr(fitted, "DATA", tmp_path)
    monkeypatch.setattr(fitted, "CHECKPOINTS", tmp_path / "checkpoints")
    monkeypatch.setattr(cooccurring, "VECTORS", tmp_path / "vectors")
    prepare_words(map(str.split, TEXT), WordsPrepare(min_count=1, limit=0), tmp_path / "prepared/reviews")
    return Params.model_validate(content)


def made_by(name: str, params: Params) -> Embedding:
    return embed(name, params, lambda _: None).vectors


@pytest.mark.parametrize("name", ["one-hot", *TRAINED, "elmo"])
def test_vectors_survive_saving_and_know_their_origin(params: Params, tmp_path: Path, name: str) -> None:
    made = made_by(name, params)
    made.save(tmp_path / name)
    read = load_embedding(params.method(name), tmp_path / name)
    assert read.provenance["method"] == name
    assert read.provenance["settings"] == params.method(name).model_dump()
    np.testing.assert_array_equal(read.vector("king"), made.vector("king"))
    assert len(read.nearest("king", 3)) == 3


def test_the_contextual_model_survives_saving(params: Params, tmp_path: Path) -> None:
    made = embed("elmo", params, lambda _: None)
    made.save(tmp_path / "elmo")
    assert isinstance(made.contextual, Contextual)
    read = Contextual.load(params.vectors.methods.elmo, tmp_path / "elmo")
    spellings = torch.from_numpy(read.speller.sentence(["the", "kingly", "queen"]))[None]
    for model in (made.contextual.model, read.model):
        model.eval()
    expected, layers = (c.model.layers(spellings, torch.tensor([5])) for c in (made.contextual, read))
    torch.testing.assert_close(layers, expected)
    size = params.vectors.methods.elmo.model.size
    np.testing.assert_allclose(made.vectors.vector("the"), layers[0, 0, 1, :size].detach(), rtol=1e-4, atol=1e-6)
    assert 1 < made.measured["perplexity"] < 2 * len(made.vectors.vocabulary)


def test_the_engine_for_a_device_takes_the_same_settings(params: Params) -> None:
    content = params.model_dump(by_alias=True)
    content["vectors"]["methods"]["skip-gram"] |= {"engine": "batched", "batch": 50, "noise": 8, "learning_rate": 0.1}
    batched = made_by("skip-gram", Params.model_validate(content))
    assert batched.vector("king").shape == made_by("skip-gram", params).vector("king").shape
    assert np.isfinite(batched.vector("king")).all()
    assert not np.array_equal(batched.vector("king"), made_by("skip-gram", params).vector("king"))
    content["vectors"]["methods"]["skip-gram"] |= {"objective": "hierarchical_softmax"}
    with pytest.raises(ValueError, match="engine: batched has negative_sampling alone"):
        Params.model_validate(content)


def test_fasttext_alone_has_a_vector_for_a_word_never_seen(params: Params) -> None:
    assert len(made_by("fasttext", params).vector("kingly")) == SMALL["dimension"]
    with pytest.raises(KeyError, match="kingly"):
        made_by("skip-gram", params).vector("kingly")


def test_what_cannot_be_trained_on_is_named(params: Params, tmp_path: Path) -> None:
    for file in (tmp_path / "prepared/reviews/train").glob("*.npy"):
        np.save(file, np.load(file)[:0])
    with pytest.raises(StageError, match=r"^vectors\.methods\.cbow: the corpus is empty"):
        made_by("cbow", params)


def test_an_unknown_method_is_answered_with_the_closest(params: Params) -> None:
    with pytest.raises(StageError, match="no method 'skipgram'; did you mean 'skip-gram'"):
        params.method("skipgram")


def test_all_methods_stand_in_one_table(params: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "FILES", ".")
    (tmp_path / "questions-words.txt").write_text(": family\nman king woman queen\nman king woman empress\n")
    for name in evaluation.PAIRS.values():
        (tmp_path / name).write_text("king\tqueen\t9\nking\twalk\t1\nking\tman\t5\nking\tzebra\t2\n")
    methods = {name: made_by(name, params) for name in ("one-hot", "cbow")}
    report = evaluate_vectors(methods, tmp_path, {"king": 1, "zebra": 1, "queen": 2}, params.vectors.evaluate)
    for name in methods:
        assert report.metrics[f"{name}.analogies_asked"] == 1
        assert report.metrics[f"{name}.wordsim353_covered"] == 0.75
        assert report.metrics[f"{name}.out_of_vocabulary"] == 0.25
    assert report.metrics["one-hot.analogies"] == 0
    assert "one-hot.wordsim353_rho" not in report.metrics
    assert -1 <= float(report.metrics["cbow.wordsim353_rho"]) <= 1
    assert {(row["method"], row["word"]) for row in report.tables["neighbours.csv"]} == {
        (m, w) for m in methods for w in ("king", "zebra")
    }
    assert {row["neighbours"] for row in report.tables["neighbours.csv"] if row["word"] == "zebra"} == {"(unknown)"}
    report.write_plots(tmp_path / "plots")
    assert (tmp_path / "plots/map.png").stat().st_size > 1000


def test_the_types_of_the_artefacts(params: Params) -> None:
    assert isinstance(made_by("one-hot", params), OneHot)
    assert isinstance(made_by("cbow", params), WordVectors)
