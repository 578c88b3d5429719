"""Prepares rows for training, evaluation and packaging, for each kind of task."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shipped
from data_sets import data_set, json_lines
from hypothesis import given
from hypothesis import strategies as st

from models.text.characters import CharacterTokenizer
from models.text.special import BOS, EOS, SPECIAL_TOKENS, UNK
from models.text.subwords import SubwordTokenizer
from models.text.vectors import WordVectors
from models.text.word_tokenizer import WordTokenizer
from models.text.words import WordVocabulary
from pipelines.data.prepared import SPLITS, TOKENIZER, further_tests, read_labels, read_texts, read_vectors, rows_of
from pipelines.data.preparing import prepare
from pipelines.kinds.classification import data as classification
from pipelines.kinds.classification.settings import WordsTask
from pipelines.kinds.translation.settings import TranslationTask
from pipelines.settings.params import Params
from pipelines.settings.tasks import TextTask
from pipelines.stage import StageError
from pipelines.store import Alternating, Split, SplitWriter, write_split

NAMES = [
    {"text": f"{a}{b}ski", "label": label} for label in ("Polish", "Russian") for a in "Bdgkmnprst".title() for b in "aeiouy"
]
VOCABULARY = ["the", ",", "film", "n't", "u.s.", "good", "bad", "do", "like"]
MATRIX = np.random.default_rng(0).normal(size=(len(VOCABULARY), 4)).astype(np.float32)
PUBLISHED = {
    "train": [(f"un chien numéro {i} court dans la rue", f"dog number {i} runs in the street") for i in range(20)],
    "valid": [("Deux femmes marchent.", "Two women walk."), ("Oui.", "Yes."), ("mot " * 60, "word"), ("GNU  Emacs", "GNU Emacs")],
    "test": [("Un homme lit un livre.", "A man is reading a book."), ("Le chat est dehors.", "The cat is out.")],
    "test_2017": [("Une porte est fermée.", "A door is closed."), ("Deux portes.", "Two doors.")],
}
LEAKED = [
    ("UN HOMME LIT UN LIVRE.", "Somebody reads."),
    ("Le chien est dehors.", "the cat is out"),
    ("Deux portes.", "Two doors."),
    ("Deux femmes  marchent.", "Two women go."),
]
UNFIT = [("Non.", "No."), ("mot " * 60, "word " * 60), ("the dog number is in the street", "un chien court dans la rue")]


def changed(task: TextTask, **prepare_keys: Any) -> Any:
    """The task with changed prepare settings."""
    return task.model_copy(update={"prepare": task.prepare.model_copy(update=prepare_keys)})


def prepare_rows(task: TextTask, rows: Sequence[Mapping[str, str]], folder: Path, seed: int = 1) -> dict[str, float]:
    return prepare(task, data_set(json_lines(folder / "raw", rows)), folder / "raw", folder / "out", seed)


def pairs_of(folder: Path, split: str) -> list[tuple[str, ...]]:
    return list(zip(*read_texts(folder / "out", split).values(), strict=True))


# Characters


def test_a_text_with_several_labels_stays_in_one_split(small_params: Params, tmp_path: Path) -> None:
    statistics = prepare_rows(shipped.surname(small_params), NAMES, tmp_path)
    texts = [{text for text, _ in pairs_of(tmp_path, split)} for split in SPLITS]
    assert sum(map(len, texts)) == len(set().union(*texts)) == len(NAMES) // 2
    assert statistics["ambiguous_texts"] == len(NAMES) // 2
    assert statistics["accuracy_ceiling"] == 0.5
    assert read_labels(tmp_path / "out") == ["Polish", "Russian"]


def test_the_same_seed_gives_the_same_splits(small_params: Params, tmp_path: Path) -> None:
    found = []
    for seed in (1, 1, 2):
        prepare_rows(shipped.names(small_params), NAMES, tmp_path, seed)
        found.append([pairs_of(tmp_path, split) for split in SPLITS])
    assert found[0] == found[1] != found[2]


def test_only_training_texts_get_copies_without_accents(small_params: Params, tmp_path: Path) -> None:
    accented = [{"text": f"{a}{b}ń{c}", "label": "Polish"} for a in "bdg" for b in "aei" for c in "kmprst"]
    plain = [{"text": row["text"].replace("ń", "n"), "label": "Russian"} for row in accented[::3]]
    prepare_rows(changed(shipped.surname(small_params), plain_copies=True), [*accented, *plain], tmp_path)
    train = pairs_of(tmp_path, "train")
    held_out = {text for split in ("valid", "test") for text, _ in pairs_of(tmp_path, split)}
    written = {(text, label) for text, label in train if "ń" in text}
    expected = {(t.replace("ń", "n"), label) for t, label in written if t.replace("ń", "n") not in held_out}
    assert expected
    assert expected == {(text, label) for text, label in train if label == "Polish"} - written
    assert len(train) == len(set(train)) == len(Split(tmp_path / "out/train"))


def test_arrays_are_the_texts_between_bos_and_eos(small_params: Params, tmp_path: Path) -> None:
    prepare_rows(shipped.surname(small_params), NAMES, tmp_path)
    tokenizer, labels = CharacterTokenizer.load(tmp_path / "out" / TOKENIZER), read_labels(tmp_path / "out")
    split = Split(tmp_path / "out/valid")
    for i, (text, label) in enumerate(pairs_of(tmp_path, "valid")):
        assert split.row(i)["characters"].tolist() == [BOS, *tokenizer.encode(text), EOS]
        assert labels[int(split.row(i)["label"])] == label


def test_rows_without_labels_can_train_a_generator(small_params: Params, tmp_path: Path) -> None:
    prepare_rows(shipped.names(small_params), [{"text": row["text"]} for row in NAMES], tmp_path)
    assert read_labels(tmp_path / "out") == ["text"]


# Words and subwords


@pytest.fixture
def words(small_params: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WordsTask:
    """The shipped task with words as units, with a few vectors."""
    monkeypatch.setattr(classification, "VECTORS", tmp_path / "vectors")
    WordVectors(WordVocabulary(VOCABULARY, np.zeros(len(VOCABULARY))), MATRIX, {}).save(tmp_path / "vectors/vectors/glove-6b")
    found: WordsTask = changed(shipped.sentiment(small_params), vocabulary_size=5)
    return found


def split_by(**texts: Sequence[str]) -> list[dict[str, str]]:
    """Rows of published splits: texts with "bad" or "worst" are negative."""
    labels = {True: "negative", False: "positive"}
    return [
        {"text": text, "label": labels["bad" in text or "worst" in text], "split": split}
        for split, some in texts.items()
        for text in some
    ]


def test_words_are_the_most_frequent_ones_that_have_vectors(words: WordsTask, tmp_path: Path) -> None:
    rows = split_by(train=["Don't like", "the bad film"], valid=["good", "bad"], test=["good film", "worst"])
    statistics = prepare_rows(words, rows, tmp_path)
    assert WordTokenizer.load(tmp_path / "out" / TOKENIZER).words == ("the", "film", "n't", "good", "bad")
    vectors, first = read_vectors(tmp_path / "out"), len(SPECIAL_TOKENS)
    assert not vectors[:first].any()
    np.testing.assert_array_equal(vectors[first:], MATRIX[[0, 2, 3, 5, 6]])
    assert Split(tmp_path / "out/train").row(0)["tokens"].tolist() == [UNK, first + 2, UNK]  # do n't like
    assert statistics["out_of_vocabulary"] == pytest.approx(3 / 11)


def test_held_out_sentences_that_resemble_training_ones_are_dropped(words: WordsTask, tmp_path: Path) -> None:
    numbers = [f"w{i} n{i} m{i} k{i} v{i}" for i in range(60)]
    rows = [{"text": text, "label": "ab"[i % 2]} for i, text in enumerate(numbers)]
    rows += [{"text": f"{text} again", "label": "ab"[i % 2]} for i, text in enumerate(numbers[:20])]
    raw = json_lines(tmp_path / "raw", rows, unlike=True)
    statistics = prepare(words, data_set(raw), tmp_path / "raw", tmp_path / "out", 1)
    assert sum(statistics[f"dropped_as_near_from_{split}"] for split in ("valid", "test")) > 0
    found = {split: {text.removesuffix(" again") for text, _ in pairs_of(tmp_path, split)} for split in SPLITS}
    assert found["train"].isdisjoint(found["valid"] | found["test"])
    assert found["valid"].isdisjoint(found["test"])


def test_subwords_and_words_without_vectors_are_learned_from_training(small_params: Params, tmp_path: Path) -> None:
    content = shipped.sentiment(small_params).model_dump(by_alias=True)
    content["data"] |= {"vectors": "none"}
    rows = [{"text": f"the {mood} film of {i}", "label": mood} for i in range(30) for mood in ("good", "bad")]
    prepare_rows(WordsTask.model_validate(content), rows, tmp_path)
    assert {"the", "film", "good"} <= set(WordTokenizer.load(tmp_path / "out" / TOKENIZER).words)
    assert not (tmp_path / "out/vectors.npy").exists()
    content["units"] = "subwords"
    content["prepare"] |= {"lowercase": True, "vocabulary_size": 300}
    task = Params.model_validate(_with(small_params, content)).task_of("sentiment", TextTask)
    prepare_rows(task, rows, tmp_path)
    tokenizer = SubwordTokenizer.load(tmp_path / "out" / TOKENIZER)
    assert Split(tmp_path / "out/test").row(0)["tokens"].tolist() == tokenizer.encode(pairs_of(tmp_path, "test")[0][0])


def _with(params: Params, block: dict[str, Any]) -> dict[str, Any]:
    content = params.model_dump(by_alias=True)
    content["tasks"]["sentiment"] = block
    return content


# Pairs


def published(**changes: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"source": s, "target": t, "split": split} for split, some in {**PUBLISHED, **changes}.items() for s, t in some]


def plain(pairs: Sequence[tuple[str, str]]) -> list[tuple[str, ...]]:
    """With single spaces."""
    return [tuple(" ".join(text.split()) for text in pair) for pair in pairs]


def test_filters_apply_to_training_only_and_held_out_pairs_keep_their_order(small_params: Params, tmp_path: Path) -> None:
    train = [*PUBLISHED["train"], *UNFIT, *PUBLISHED["train"][:3], *LEAKED]
    statistics = prepare_rows(shipped.fr_en(small_params), published(train=train), tmp_path)
    for split, pairs in PUBLISHED.items():
        assert pairs_of(tmp_path, split) == plain(pairs)
    dropped = {name: count for name, count in statistics.items() if name.startswith("dropped") and count}
    assert dropped == {
        "dropped_as_too_short": 1,
        "dropped_as_too_long": 1,
        "dropped_as_in_the_wrong_language": 1,
        "dropped_as_repeated": 3,
        "dropped_from_train": len(LEAKED),
    }


def test_an_additional_test_set_is_written_only_as_text(small_params: Params, tmp_path: Path) -> None:
    statistics = prepare_rows(shipped.fr_en(small_params), published(), tmp_path)
    assert further_tests(tmp_path / "out") == ["test_2017"]
    assert {path.name for path in (tmp_path / "out").iterdir() if path.is_dir()} == set(SPLITS)
    assert {split: statistics[f"{split}_rows"] for split in PUBLISHED} == {
        split: len(pairs) for split, pairs in PUBLISHED.items()
    }


def test_the_reverse_direction_swaps_the_sides(small_params: Params, tmp_path: Path) -> None:
    rows = [
        {"source": f"le {i} est pour la suite", "target": f"the {i} is for the suite, which is here", "group": str(i // 2)}
        for i in range(60)
    ]
    french = shipped.fr_en(small_params)
    folders = {"there": french, "back": changed(french, source="en", target="fr")}
    for name, task in folders.items():
        raw = tmp_path / name / "raw"
        prepare(task, data_set(json_lines(raw, rows, languages=["fr", "en"])), raw, tmp_path / name / "out", 1)
    for split in SPLITS:
        there, back = (pairs_of(tmp_path / name, split) for name in folders)
        assert there == [(target, source) for source, target in back]
        assert all(source.startswith("le ") for source, _ in there)


def test_languages_that_the_data_does_not_have_are_an_error(small_params: Params, tmp_path: Path) -> None:
    source = json_lines(tmp_path, [{"source": "a", "target": "b"}], languages=["de", "en"])
    with pytest.raises(StageError, match=r"rows\.jsonl is in de and en, but the task translates fr into en"):
        prepare(shipped.fr_en(small_params), data_set(source), tmp_path, tmp_path / "out", 1)


def test_only_dictionary_entries_may_be_short_or_lopsided_and_are_repeated(small_params: Params, tmp_path: Path) -> None:
    base = [{"source": f"le paquet {i} est pour la suite", "target": f"the package {i} is for the suite"} for i in range(40)]
    entries = [{"source": "pomme de terre", "target": "potato"}, {"source": "chat", "target": "cat"}]
    sentences = [{"source": "Oui.", "target": "Yes."}, {"source": "pomme de la terre", "target": "spud"}]
    sources = [
        json_lines(tmp_path, [*base, *sentences], "sentences.jsonl"),
        json_lines(tmp_path, entries, "entries.jsonl", dictionary=True, splits=["train"], repeats=3),
    ]
    task: TranslationTask = changed(shipped.fr_en(small_params), joined=0.0)
    statistics = prepare(task, data_set(*sources), tmp_path, tmp_path / "out", 1)
    train = pairs_of(tmp_path, "train")
    assert train.count(("chat", "cat")) == train.count(("pomme de terre", "potato")) == 3
    assert statistics["dropped_as_too_short"] == statistics["dropped_as_lopsided"] == 1


def test_some_training_pairs_are_joined_and_none_is_lost(small_params: Params, tmp_path: Path) -> None:
    rows = [{"source": f"le paquet {i} est pour la suite", "target": f"the package {i} is for the suite"} for i in range(400)]
    found = {}
    for share in (0.0, 0.3):
        task: TranslationTask = changed(shipped.fr_en(small_params), joined=share, segmentations=1)
        prepare(task, data_set(json_lines(tmp_path, rows, "pairs.jsonl")), tmp_path, tmp_path / "out", 1)
        found[share] = {split: pairs_of(tmp_path, split) for split in ("train", "valid", "test")}
        assert [len(Split(tmp_path / "out" / name)) for name in ("train", "train-01")] == [len(found[share]["train"])] * 2
    apart, joined = found[0.0], found[0.3]
    assert joined["valid"] == apart["valid"]
    assert joined["test"] == apart["test"]
    assert [" ".join(side) for side in zip(*joined["train"], strict=True)] == [
        " ".join(side) for side in zip(*apart["train"], strict=True)
    ]
    starts = len(apart["train"]) - len(joined["train"])
    assert starts / len(joined["train"]) == pytest.approx(0.3, abs=0.1)


def test_additional_segmentations_are_the_training_pairs_in_other_subwords(small_params: Params, tmp_path: Path) -> None:
    task: TranslationTask = changed(shipped.fr_en(small_params), segmentations=2, subword_dropout=0.5)
    prepare_rows(task, published(), tmp_path)
    folder = tmp_path / "out"
    rows, forms = rows_of(folder, "train"), [Split(folder / name) for name in ("train", "train-01", "train-02")]
    tokenizer = SubwordTokenizer.load(folder / TOKENIZER)
    assert isinstance(rows, Alternating)
    for column in ("source", "target"):
        texts = [[tokenizer.decode(form.row(i)[column][column == "target" :]) for i in range(len(form))] for form in forms]
        assert texts[0] == texts[1] == texts[2]
        drawn = [[form.row(i)[column].tolist() for i in range(len(form))] for form in forms]
        assert drawn[0] != drawn[1] != drawn[2]


# Errors


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "has no usable row"),
        ([{"text": " ", "label": "a"}, {"text": "b", "label": ""}], "has no usable row .1 empty, 1 without label"),
        ([{"text": "x", "label": "a"}, *NAMES[:30]], "the label 'a' has 1 rows, and there are 3 splits"),
        ([{"text": "x", "label": "a"}] * 9, "split is empty: of 9 rows 1 are distinct"),
    ],
)
def test_too_few_rows_are_an_error(small_params: Params, tmp_path: Path, rows: list[dict[str, str]], message: str) -> None:
    with pytest.raises(StageError, match=message):
        prepare_rows(shipped.surname(small_params), rows, tmp_path)


# On disk


@given(st.lists(st.lists(st.integers(0, 9), max_size=5), min_size=1, max_size=8), st.integers(1, 3))
def test_arrays_round_trip(tmp_path_factory: pytest.TempPathFactory, rows: list[list[int]], batch: int) -> None:
    folder = tmp_path_factory.mktemp("store")
    labels = list(range(len(rows)))
    write_split(folder / "whole", {"text": rows, "label": labels})
    with SplitWriter(folder / "parts") as split:
        for first in range(0, len(rows), batch):
            split.append({"text": rows[first : first + batch], "label": labels[first : first + batch]})
    for name in ("whole", "parts"):
        read = Split(folder / name)
        assert len(read) == len(rows)
        assert [read.row(i)["text"].tolist() for i in labels] == rows
        assert [int(read.row(i)["label"]) for i in labels] == labels
        np.testing.assert_array_equal(read.lengths("text"), [len(row) for row in rows])
