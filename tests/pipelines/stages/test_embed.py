"""Each method writes vectors that load, record their provenance, and appear in the common table."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.text.one_hot import Embedding, OneHot
from models.text.vectors import WordVectors
from pipelines.data.corpora.words import prepare_words
from pipelines.embedding import kernels
from pipelines.embedding.contextual import Contextual
from pipelines.evaluation import vectors as evaluation
from pipelines.evaluation.vectors import evaluate_vectors
from pipelines.settings.corpora import WordsPrepare
from pipelines.settings.params import Params, load_params
from pipelines.settings.vectors import WordQuestions
from pipelines.stage import StageError
from pipelines.stages.compare import load_embedding
from pipelines.stages.embed import embed, work_of

TRAINED = ["skip-gram", "cbow", "fasttext", "glove"]
SMALL = {"dimension": 8, "epochs": 1}
TEXT = ["the king and the queen rule", "a man and a woman walk", "the man is a king", "the woman is a queen"] * 30


@pytest.fixture
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """params.yaml with small methods, in a folder with a prepared corpus."""
    content: dict[str, Any] = load_params().model_dump(by_alias=True)
    for method in TRAINED:
        content["methods"][method] |= SMALL
    content["methods"]["fasttext"]["buckets"] = 50
    content["methods"]["glove"]["memory_mib"] = 1
    content["methods"]["elmo"] |= {"sentences": 60, "held_out": 5}
    content["methods"]["elmo"]["model"] |= {"size": 4, "filters": [3, 2], "cutoffs": [8]}
    content["vectors"]["vectors"]["evaluate"] |= {
        "neighbours_of": ["king", "zebra"],
        "groups": {"animals": ["zebra"], "people": ["king", "queen", "man"]},
    }
    monkeypatch.chdir(tmp_path)
    prepare_words(map(str.split, TEXT), WordsPrepare(min_count=1, limit=0), tmp_path / "data/prepared/reviews")
    return Params.model_validate(content)


def made_by(name: str, params: Params) -> Embedding:
    return embed(name, params, lambda _: None).vectors


@pytest.mark.parametrize("name", ["one-hot", *TRAINED, "elmo"])
def test_saved_vectors_load_with_their_provenance(params: Params, tmp_path: Path, name: str) -> None:
    made = made_by(name, params)
    made.save(tmp_path / name)
    read = load_embedding(params.method(name), tmp_path / name)
    assert read.provenance["method"] == name
    assert read.provenance["settings"] == params.method(name).model_dump()
    np.testing.assert_array_equal(read.vector("king"), made.vector("king"))
    assert len(read.nearest("king", 3)) == 3


def test_the_saved_contextual_model_loads(params: Params, tmp_path: Path) -> None:
    made = embed("elmo", params, lambda _: None)
    made.save(tmp_path / "elmo")
    assert isinstance(made.contextual, Contextual)
    read = Contextual.load(tmp_path / "elmo")
    spellings = torch.from_numpy(read.speller.sentence(["the", "kingly", "queen"]))[None]
    for model in (made.contextual.model, read.model):
        model.eval()
    expected, layers = (c.model.layers(spellings, torch.tensor([5])) for c in (made.contextual, read))
    torch.testing.assert_close(layers, expected)
    size = len(made.vectors.vector("the"))
    np.testing.assert_allclose(made.vectors.vector("the"), layers[0, 0, 1, :size].detach(), rtol=1e-4, atol=1e-6)
    assert 1 < made.measured["perplexity"] < 2 * len(made.vectors.vocabulary)


def test_the_batched_engine_accepts_the_same_settings(params: Params) -> None:
    content = params.model_dump(by_alias=True)
    content["methods"]["skip-gram"] |= {"engine": "batched", "batch": 50, "noise": 8, "learning_rate": 0.1}
    batched = made_by("skip-gram", Params.model_validate(content))
    assert batched.vector("king").shape == made_by("skip-gram", params).vector("king").shape
    assert np.isfinite(batched.vector("king")).all()
    assert not np.array_equal(batched.vector("king"), made_by("skip-gram", params).vector("king"))
    content["methods"]["skip-gram"] |= {"objective": "hierarchical_softmax"}
    with pytest.raises(ValueError, match="engine: batched supports only negative_sampling"):
        Params.model_validate(content)


@pytest.mark.parametrize(("many", "cores"), [(kernels.MANY, 1), (3, 4)])
def test_few_words_train_on_one_core(params: Params, monkeypatch: pytest.MonkeyPatch, many: int, cores: int) -> None:
    used = []

    def trained(*given: Any, threads: int, **_: object) -> NDArray[np.float32]:
        used.append(threads)
        return np.zeros((len(given[3]), 8), np.float32)

    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    monkeypatch.setattr(kernels, "MANY", many)
    monkeypatch.setattr(kernels, "train_word2vec", trained)
    made_by("skip-gram", params)
    assert used == [cores]


def test_only_fasttext_has_vectors_for_unseen_words(params: Params) -> None:
    assert len(made_by("fasttext", params).vector("kingly")) == SMALL["dimension"]
    with pytest.raises(KeyError, match="kingly"):
        made_by("skip-gram", params).vector("kingly")


def test_a_cluster_gives_each_method_the_resources_it_can_use(params: Params) -> None:
    content = params.model_dump(by_alias=True)
    content["methods"]["skip-gram"] |= {"engine": "batched"}
    chosen = Params.model_validate(content)
    works = {name: work_of(name, chosen) for name in ("ngram-lm", "elmo", "skip-gram", "cbow", "fasttext", "glove")}
    assert [name for name, work in works.items() if work.shared] == ["ngram-lm"]
    assert [name for name, work in works.items() if work.on_gpu] == ["ngram-lm", "elmo", "skip-gram"]
    assert work_of("cbow", chosen).identity == work_of("cbow", params).identity
    assert work_of("skip-gram", chosen).identity != work_of("skip-gram", params).identity


def test_an_empty_corpus_is_reported(params: Params, tmp_path: Path) -> None:
    for file in (tmp_path / "data/prepared/reviews/train").glob("*.npy"):
        np.save(file, np.load(file)[:0])
    with pytest.raises(StageError, match=r"^cbow: the corpus is empty"):
        made_by("cbow", params)


def test_an_unknown_method_is_reported_with_the_closest_name(params: Params) -> None:
    with pytest.raises(StageError, match="no method 'skipgram'; did you mean 'skip-gram'"):
        params.method("skipgram")


def test_all_methods_are_in_one_table(params: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "FILES", ".")
    (tmp_path / "questions-words.txt").write_text(": family\nman king woman queen\nman king woman empress\n")
    for name in evaluation.PAIRS.values():
        (tmp_path / name).write_text("king\tqueen\t9\nking\twalk\t1\nking\tman\t5\nking\tzebra\t2\n")
    methods = {name: made_by(name, params) for name in ("one-hot", "cbow")}
    questions = params.vectors["vectors"].evaluate
    assert isinstance(questions, WordQuestions)
    report = evaluate_vectors(methods, tmp_path, {"king": 1, "zebra": 1, "queen": 2}, questions)
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
    assert {path.stem for path in (tmp_path / "plots/map").iterdir()} == {*methods} - {"one-hot"}


def test_the_types_of_the_artefacts(params: Params) -> None:
    assert isinstance(made_by("one-hot", params), OneHot)
    assert isinstance(made_by("cbow", params), WordVectors)
