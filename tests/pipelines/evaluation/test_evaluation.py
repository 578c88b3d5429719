"""Evaluation: figures with known values, and whole reports on bundles of every kind."""

import csv
import json
import shutil
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shipped
import torch
import yaml
from sacrebleu.metrics.bleu import BLEU
from torchmetrics.functional.classification import multiclass_calibration_error

from pipelines.data.prepared import read_texts
from pipelines.evaluation import linear
from pipelines.evaluation.calibration import BINS, calibration_bins, expected_calibration_error
from pipelines.evaluation.findings import Report
from pipelines.evaluation.linear import linear_baseline
from pipelines.kinds.generation.evaluation import SHOWN
from pipelines.kinds.translation.evaluation import bleu_of
from pipelines.kinds.translation.evaluation.heat_map import heat_map
from pipelines.kinds.translation.evaluation.kept import kept
from pipelines.settings.params import Params
from pipelines.stage import StageError
from pipelines.stages import evaluate as stage
from pipelines.stages.evaluate import evaluate
from pipelines.tracking.runs import StageRun
from serving.bundle import Decoding
from serving.predictors.classification import Classified, Classifier
from serving.predictors.generation import Generator, Prompt
from serving.predictors.translation import Alignment, Candidate, Translator

KINDS = {"surname": "classification", "names": "generation", "fr-en": "translation", "sentiment": "sentiment"}
TABLES = {
    "surname": {"confusion.csv", "calibration.csv", "labels.csv"},
    "names": {"samples.csv"},
    "fr-en": {"translations.tsv"},
    "sentiment": {"confusion.csv", "calibration.csv", "labels.csv", "importances.tsv"},
}


class Setup:
    """Small outputs of the pipeline up to the export stage."""

    def __init__(self, params: Params, prepared: dict[str, Path], bundles: dict[str, Path]) -> None:
        self.params, self.prepared, self.bundles = params, prepared, bundles

    def evaluate(self, task: str) -> Report:
        return evaluate(self.params.task(task), self.bundles[KINDS[task]], self.prepared[task], self.params.seed)

    def texts(self, task: str, split: str = "test") -> dict[str, list[str]]:
        return read_texts(self.prepared[task], split)


@pytest.fixture(scope="module")
def setup(small_params: Params, prepared: dict[str, Path], bundles: dict[str, Path]) -> Setup:
    return Setup(small_params, prepared, bundles)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# Calibration


def test_calibration_error_equals_a_case_computed_by_hand() -> None:
    confidence = np.array([0.95, 0.97, 0.55, 0.55])
    bins = calibration_bins(confidence, np.array([True, False, True, True]))
    assert [found.confidence for found in bins] == pytest.approx([0.55, 0.96])
    assert [(found.accuracy, found.count) for found in bins] == [(1.0, 2), (0.5, 2)]
    assert expected_calibration_error(bins) == pytest.approx(0.5 * 0.45 + 0.5 * 0.46)


def test_a_bin_ends_where_the_next_begins() -> None:
    confidence = np.array([7 / BINS, np.nextafter(7 / BINS, 1), 1.0])
    assert [b.count for b in calibration_bins(confidence, np.ones(3, dtype=bool))] == [1, 1, 1]


def test_a_calibrated_classifier_has_no_calibration_error() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.2, 1, 200_000)
    correct = rng.random(len(confidence)) < confidence
    assert expected_calibration_error(calibration_bins(confidence, correct)) < 0.005


def test_calibration_error_agrees_with_torchmetrics() -> None:
    rng = np.random.default_rng(0)
    probabilities, actual = rng.dirichlet(np.full(5, 0.5), 500), rng.integers(5, size=500)
    bins = calibration_bins(probabilities.max(axis=1), probabilities.argmax(axis=1) == actual)
    expected = multiclass_calibration_error(torch.tensor(probabilities), torch.tensor(actual), num_classes=5, n_bins=BINS)
    assert expected_calibration_error(bins) == pytest.approx(float(expected), abs=1e-6)


# Known predictions


def test_a_classifier_that_is_always_right(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    actual = setup.texts("surname")["label"]

    def truth(self: Classifier, texts: Sequence[str], *, batch_size: int) -> Classified:
        assert batch_size == shipped.surname(setup.params).evaluate.batch_size
        return Classified(np.array([[float(label == a) for label in self.bundle.labels] for a in actual[: len(texts)]]), [])

    monkeypatch.setattr(Classifier, "classify", truth)
    report = setup.evaluate("surname")
    assert {report.metrics[key] for key in ("accuracy", "macro_f1")} == {1}
    assert report.metrics["ece"] == 0
    assert all(row["actual"] == row["predicted"] for row in report.tables["confusion.csv"])
    assert {row["f1"] for row in report.tables["labels.csv"]} == {1}


def test_a_classifier_that_always_says_the_same(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    actual = setup.texts("surname")["label"]

    def one(self: Classifier, texts: Sequence[str], *, batch_size: int) -> Classified:  # noqa: ARG001 - the real signature
        return Classified(np.tile([0.7 if label == actual[0] else 0.1 for label in self.bundle.labels], (len(texts), 1)), [])

    monkeypatch.setattr(Classifier, "classify", one)
    report = setup.evaluate("surname")
    share = actual.count(actual[0]) / len(actual)
    assert report.metrics["accuracy"] == pytest.approx(share)
    assert report.metrics["macro_f1"] == pytest.approx(
        2 * share / (1 + share) / len(set(actual))
    )  # precision is the share, recall is 1
    assert report.metrics["ece"] == pytest.approx(abs(0.7 - share))


def test_the_linear_baseline_learns_endings() -> None:
    stems = ["kov", "mar", "pet", "nik", "lun", "tor", "hal", "bren"]
    train, valid = (
        {"text": [s + e for s in part for e in ("ić", "sen")], "label": ["a", "b"] * 4} for part in (stems[:4], stems[4:])
    )
    assert linear_baseline(train, valid, ["zulić", "zulsen", "ić", "olsen"], words=False).predicted == ["a", "b", "a", "b"]


def test_the_linear_baseline_samples_many_rows_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "MOST_ROWS", 20)
    stems = ["zul", "ols", "mar", "pet", "tak", "bor", "kav", "lem", "ned", "rog"] * 4
    rows = [(stem + "ić", "a") for stem in stems] + [(stem + "sen", "b") for stem in stems]  # sorted by label
    train = {"text": [text for text, _ in rows], "label": [label for _, label in rows]}
    assert linear_baseline(train, train, ["xić", "xsen"], words=False).predicted == ["a", "b"]


def test_the_sentiment_baselines_ignore_word_order(setup: Setup) -> None:
    metrics = setup.evaluate("sentiment").metrics
    assert {f"{name}_{score}" for name in ("baseline", "averaged") for score in ("accuracy", "macro_f1")} <= set(metrics)
    assert metrics["baseline_accuracy"] == 1  # a single word decides, and all of them occur in training
    assert float(metrics["averaged_accuracy"]) > 0.5
    assert metrics["out_of_vocabulary"] == pytest.approx(2 / 3)  # "a" and "score"


def test_importances_are_listed_the_largest_first(setup: Setup) -> None:
    rows = setup.evaluate("sentiment").tables["importances.tsv"]
    assert [row["text"] for row in rows] == setup.texts("sentiment")["text"][: shipped.sentiment(setup.params).evaluate.shown]
    for row in rows:
        assert row["predicted"] in ("negative", "positive")
        assert 0.5 <= float(row["score"]) <= 1
        shares = [float(share) for share in str(row["attention"]).split()[1::2]]
        assert shares == sorted(shares, reverse=True)
        assert sum(shares) == pytest.approx(1, abs=0.02)


def test_generated_names_that_are_all_known_and_equal(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    known = setup.texts("names", "train")["text"][0]

    def repeat(self: Generator, prompts: Sequence[Prompt], *, batch_size: int) -> list[str]:  # noqa: ARG001 - the real signature
        assert {p.sampling.temperature for p in prompts} == {shipped.names(setup.params).evaluate.temperature}
        return [known.upper()] * len(prompts)

    monkeypatch.setattr(Generator, "generate", repeat)
    report = setup.evaluate("names")
    assert report.metrics["novel_share"] == 0
    assert report.metrics["unique_share"] == 1 / shipped.names(setup.params).evaluate.samples
    assert report.metrics["label_agreement"] == report.metrics["nearest_distance"] == 0  # no novel name to evaluate
    assert {row["novel"] for row in report.tables["samples.csv"]} == {"no"}


def test_novel_names_are_measured_and_judged(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    train, valid = setup.texts("names", "train"), setup.texts("names", "valid")
    novel = max(train["text"], key=len) + "qq"
    monkeypatch.setattr(Generator, "generate", lambda _, prompts, **__: [novel] * len(prompts))
    metrics = setup.evaluate("names").metrics
    assert metrics["nearest_distance"] == 2
    (taken_for,) = linear_baseline(train, valid, [novel], words=False).predicted
    samples = shipped.names(setup.params).evaluate.samples
    asked = np.random.default_rng(setup.params.seed).choice(train["label"], samples).tolist()
    assert metrics["label_agreement"] == pytest.approx(asked.count(taken_for) / samples)


def test_translations_that_equal_the_references(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    references = dict(zip(*setup.texts("fr-en").values(), strict=True))
    searches = []

    def look_up(
        self: Translator,  # noqa: ARG001 - the real signature
        texts: Sequence[str],
        decoding: Decoding | None = None,
        *,
        attention: bool = False,
        batch_size: int = 32,  # noqa: ARG001
    ) -> list[list[Candidate]]:
        searches.append((decoding and decoding.num_beams, attention))
        if decoding is not None and decoding.num_beams == 1:
            return [[Candidate("something else entirely", 0.0, ())] for _ in texts]
        return [[Candidate(references[text], 0.0, ())] for text in texts]

    monkeypatch.setattr(Translator, "translate", look_up)
    metrics = setup.evaluate("fr-en").metrics
    assert searches == [(shipped.fr_en(setup.params).export.num_beams, False), (1, False), (None, True)]
    assert [metrics["bleu"], metrics["chrf"]] == pytest.approx([100, 100])
    assert metrics["length_ratio"] == 1
    assert float(metrics["greedy_bleu"]) < 10
    assert float(metrics["copy_bleu"]) < float(metrics["copy_chrf"]) < 100
    assert "case:mixed" in str(metrics["bleu_signature"])
    assert "tok:13a" in str(metrics["bleu_signature"])


def test_a_further_test_set_is_scored_beside_the_main_one(setup: Setup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    further = {"source": ["le chat dort sur la table"] * 2, "target": ["the cat sleeps on the table"] * 2}
    folder = shutil.copytree(setup.prepared["fr-en"], tmp_path / "fr-en")
    pq.write_table(pa.table(further), folder / "test_2017_flickr.parquet")
    known = dict(zip(further["source"], further["target"], strict=True))
    monkeypatch.setattr(
        Translator,
        "translate",
        lambda _, texts, *__, **___: [[Candidate(known.get(t, "something else"), 0.0, ())] for t in texts],
    )
    alone = setup.evaluate("fr-en").metrics
    both = evaluate(shipped.fr_en(setup.params), setup.bundles["translation"], folder, setup.params.seed).metrics
    added = {key: both[key] for key in both if key not in alone}
    assert {key: both[key] for key in alone} == alone
    assert [added["test_2017_flickr_bleu"], added["test_2017_flickr_chrf"]] == pytest.approx([100, 100])
    assert added.keys() == {f"test_2017_flickr_{key}" for key in ("bleu", "chrf", "copy_bleu", "copy_chrf")}
    assert float(added["test_2017_flickr_copy_bleu"]) < float(added["test_2017_flickr_copy_chrf"]) < 100


# Heat maps


def test_a_heat_map_names_every_piece_and_shows_every_weight() -> None:
    weights = np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]])
    figure = heat_map(Alignment(["▁le", "▁chat", "<eos>"], ["▁cat", "<eos>"], weights))
    axes = figure.axes[0]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["_le", "_chat", "<eos>"]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["_cat", "<eos>"]
    shown = axes.collections[0].get_array()
    assert shown is not None
    assert np.array_equal(shown, weights)
    assert axes.yaxis_inverted()  # the first target piece is on top


# Whole reports


@pytest.mark.parametrize("task", KINDS)
def test_a_report_is_complete_and_the_same_each_time(setup: Setup, task: str, tmp_path: Path) -> None:
    first, second = setup.evaluate(task), setup.evaluate(task)
    assert first.metrics == second.metrics
    assert all(np.isfinite(value) for value in first.metrics.values() if not isinstance(value, str))
    first.write_plots(tmp_path / "first")
    (tmp_path / "second").mkdir()
    (tmp_path / "second/stale.csv").touch()
    second.write_plots(tmp_path / "second")
    assert files(tmp_path / "first") == files(tmp_path / "second")
    assert TABLES[task] == {name for name in files(tmp_path / "first") if not name.endswith(".png")}


def test_each_label_has_its_samples(setup: Setup) -> None:
    rows = setup.evaluate("names").tables["samples.csv"]
    labels = [row["label"] for row in rows]
    assert {labels.count(label) for label in set(setup.texts("names", "train")["label"])} == {SHOWN}
    assert len({row["name"] for row in rows}) > SHOWN


def test_translations_are_listed_next_to_their_sources(setup: Setup, tmp_path: Path) -> None:
    report = setup.evaluate("fr-en")
    report.write_plots(tmp_path)
    with (tmp_path / "translations.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    texts = setup.texts("fr-en")
    assert [row["source"] for row in rows] == texts["source"]
    assert [row["reference"] for row in rows] == texts["target"]
    shown = min(shipped.fr_en(setup.params).evaluate.heat_maps, len(rows))
    assert len(list(tmp_path.glob("attention/*.png"))) == shown


def test_only_the_first_rows_are_scored_on_request(setup: Setup) -> None:
    settings = shipped.surname(setup.params)
    few = settings.model_copy(update={"evaluate": settings.evaluate.model_copy(update={"limit": 2})})
    assert len(evaluate(few, setup.bundles["classification"], setup.prepared["surname"], 1).tables["confusion.csv"]) == 2


def test_a_damaged_bundle_is_refused(setup: Setup, tmp_path: Path) -> None:
    folder = shutil.copytree(setup.bundles["generation"], tmp_path / "names")
    (folder / "tokenizer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(StageError, match=r"tokenizer\.json.*dvc repro"):
        evaluate(shipped.names(setup.params), folder, setup.prepared["names"], 1)


def test_the_stage_writes_metrics_and_plots(setup: Setup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stage, "track", lambda *_: nullcontext(StageRun(None, "")))
    Path("params.yaml").write_text(yaml.safe_dump(setup.params.model_dump(by_alias=True)), encoding="utf-8")
    shutil.copytree(setup.prepared["surname"], "data/prepared/surname")
    shutil.copytree(setup.bundles["classification"], "build/bundles/surname")
    for name, content in {"export": {"onnx_max_abs_error": 1e-6}, "data": {"accuracy_ceiling": 0.96, "labels": 4}}.items():
        Path("metrics", name).mkdir(parents=True)
        Path("metrics", name, "surname.json").write_text(json.dumps(content), encoding="utf-8")
    Path("plots/train").mkdir(parents=True)
    Path("plots/train/surname.csv").write_text("epoch,train_loss,valid_loss\n1.0,2.0,1.5\n2.0,1.5,1.25\n", encoding="utf-8")
    stage.main("surname")
    metrics = json.loads(Path("metrics/surname.json").read_text(encoding="utf-8"))
    assert metrics["onnx_max_abs_error"] == 1e-6
    assert metrics["accuracy_ceiling"] == 0.96
    assert "labels" not in metrics
    assert all(value == round(value, 6) for value in metrics.values())
    assert set(files(Path("plots/evaluate/surname"))) == TABLES["surname"] | {"loss.png"}


def test_numbers_and_names_on_both_sides_must_be_kept() -> None:
    source = ["En 1998, Richard Stallman a lu 3.5 livres de GNU.", "Il est là."]
    reference = ["In 1998 Richard Stallman read 3.5 books by GNU.", "He is there."]
    assert kept(source, reference, reference) == {"kept_numbers": 1, "kept_names": 1}
    assert kept(source, reference, source) == {"kept_numbers": 1, "kept_names": 1}
    assert kept(source, reference, ["In 1998 Stallman read books.", ""]) == {"kept_numbers": 1 / 2, "kept_names": 1 / 3}
    assert kept(source[1:], reference[1:], reference[1:]) == {}


@pytest.mark.parametrize(("language", "expected"), [("en", "13a"), ("pt-BR", "13a"), ("zh-Hant", "zh"), ("ja", "char")])
def test_bleu_tokenizes_by_language(language: str, expected: str) -> None:
    assert f"tok:{expected}" in scored(bleu_of(language))


def scored(bleu: BLEU) -> str:
    bleu.corpus_score(["a b"], [["a b"]])
    return str(bleu.get_signature())
