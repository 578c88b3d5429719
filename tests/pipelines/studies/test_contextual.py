"""The study's data: every word has its own vectors, every snippet is in one split; and the comparison on a few snippets."""

from pathlib import Path

import numpy as np
import pytest

from models.text.special import SPECIAL_TOKENS, UNK
from models.text.vectors import WordVectors
from models.text.words import WordVocabulary
from pipelines.settings.params import read_settings
from pipelines.stage import StageError
from pipelines.studies.contextual.__main__ import SETTINGS, ContextualStudy, compare
from pipelines.studies.contextual.data import Features, Snippet, make_features

GOOD, BAD, OTHER = ["good", "great", "fine"], ["bad", "poor", "dull"], ["film", "a", "the", "plot"]
RANDOM = np.random.default_rng(0)


class Places:
    """Returns the sentence length and position instead of contextual vectors."""

    def layers(self, sentences: list[list[str]]) -> list[np.ndarray]:
        return [np.stack([np.full((len(s), 2), len(s)), *(np.arange(2 * len(s)).reshape(-1, 2),) * 2]) for s in sentences]


def snippets(count: int) -> list[Snippet]:
    made = []
    for i in range(count):
        mood = (BAD, GOOD)[i % 2]
        words = [*RANDOM.choice(OTHER, 3 + i % 3), str(RANDOM.choice(mood)), f"only{i}"]
        made.append(Snippet([str(word) for word in words], i % 2))
    return made


@pytest.fixture
def glove() -> WordVectors:
    words = [*OTHER, *GOOD, *BAD, "never"]
    return WordVectors(WordVocabulary(words, np.zeros(len(words))), RANDOM.normal(size=(len(words), 6)).astype(np.float32), {})


@pytest.fixture
def features(glove: WordVectors, tmp_path: Path) -> Features:
    return make_features(snippets(60), (0.2, 0.3), 0, glove, Places(), tmp_path)  # type: ignore[arg-type]


def test_its_settings_are_checked_like_those_of_the_pipeline(tmp_path: Path) -> None:
    assert len(read_settings(SETTINGS, ContextualStudy).seeds) == 5
    wrong = tmp_path / "params.yaml"
    wrong.write_text(SETTINGS.read_text(encoding="utf-8").replace("hidden_size:", "hiden_size:"), encoding="utf-8")
    with pytest.raises(StageError, match="unknown key 'hiden_size'; did you mean 'hidden_size'"):
        read_settings(wrong, ContextualStudy)


def test_every_snippet_is_in_one_split(features: Features) -> None:
    assert {name: len(split) for name, split in features.splits.items()} == {"valid": 12, "test": 18, "train": 30}
    first = [int(split.row(i)["occurrences"][0]) for split in features.splits.values() for i in range(len(split))]
    assert len(set(first)) == 60


def test_words_and_occurrences_have_their_vectors(features: Features, glove: WordVectors) -> None:
    split = features.splits["train"]
    for i in range(len(split)):
        row = split.row(i)
        assert row["words"][-1] == UNK  # the word that occurs in this snippet alone
        np.testing.assert_array_equal(features.layers[row["occurrences"]][:, 0, 0], len(row["words"]))  # of its own sentence
        np.testing.assert_array_equal(features.layers[row["occurrences"]][:, 1, 0], 2 * np.arange(len(row["words"])))
        vectors = features.vectors[row["words"][:-1]]
        known = [np.flatnonzero((glove.matrix == vector).all(1)) for vector in vectors]
        assert all(len(found) == 1 for found in known)
    assert not features.vectors[: len(SPECIAL_TOKENS)].any()
    assert len(features.vectors) == len(SPECIAL_TOKENS) + len(glove.vocabulary) - 1  # "never" occurs in no snippet
    assert features.unknown == pytest.approx(60 / len(features.layers))


@pytest.mark.slow
def test_the_comparison_gives_paired_intervals(glove: WordVectors, tmp_path: Path) -> None:
    features = make_features(snippets(300), (0.2, 0.3), 0, glove, Places(), tmp_path)  # type: ignore[arg-type]
    train = {
        "epochs": 12,
        "batch_units": 64,
        "learning_rate": 0.02,
        "weight_decay": 0.0,
        "warmup_share": 0.2,
        "clip_norm": 1.0,
        "clip_value": 1.0,
        "average": 1,
    }
    values = {"seeds": [1, 2], "split_seed": 0, "valid_share": 0.2, "test_share": 0.3, "hidden_size": 8, "dropout": 0.1}
    figures = compare(ContextualStudy.model_validate({**values, "train": {**train, "patience": 12}}), features, tmp_path)
    assert figures["glove_macro_f1"] > 0.8  # a single word decides; chance would be 0.5
    assert figures["gain_macro_f1"] == pytest.approx(figures["elmo_macro_f1"] - figures["glove_macro_f1"])
    for name in ("glove_macro_f1", "elmo_macro_f1", "gain_macro_f1"):
        assert figures[f"{name}_low"] <= figures[name] <= figures[f"{name}_high"]
