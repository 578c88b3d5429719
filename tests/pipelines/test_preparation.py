"""Splits that cannot leak, and data tests that would notice if they did."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.corpora.names import FIRST_NAME, read_names
from pipelines.corpora.parallel import Pair, looks_swapped_or_untranslated, read_debian
from pipelines.params import Params
from pipelines.preparation.checks import check_names, check_pairs
from pipelines.preparation.names import prepare_names
from pipelines.preparation.pairs import prepare_pairs, split_pairs
from pipelines.preparation.prepared import SPLITS, Prepared, read_texts
from pipelines.settings.tasks import PairsPrepare
from pipelines.stage import StageError
from pipelines.store import Split, write_split

NAMES = [(f"{a}{b}ski", label) for label in ("Polish", "Russian") for a in "Bdgkmnprst".title() for b in "aeiouy"]
PAIRS = [
    Pair(f"p{i}", f"le paquet {w} est pour la suite {i}", f"the {w} package is for the suite {i}")
    for i, w in enumerate("abcdefgh")
]


@pytest.fixture
def names(small_params: Params) -> Prepared:
    return prepare_names(NAMES, small_params.surname.prepare, 1)


@pytest.fixture
def few(small_params: Params) -> PairsPrepare:
    return small_params.fr_en.prepare.model_copy(update={"test_pairs": 2, "valid_pairs": 2})


def prepare_split(records: Iterable[Pair], params: PairsPrepare) -> Prepared:
    splits, statistics = split_pairs(records, params, 1)
    return prepare_pairs(splits, params, statistics)


@pytest.fixture
def pairs(few: PairsPrepare) -> Prepared:
    return prepare_split(PAIRS, few)


def test_a_name_with_several_labels_stays_in_one_split(names: Prepared) -> None:
    where = {name: split for split in SPLITS for name in names.texts[split]["name"]}
    assert sum(len(set(names.texts[split]["name"])) for split in SPLITS) == len(where) == len(NAMES) // 2
    assert names.statistics["ambiguous_names"] == len(where)
    assert names.statistics["accuracy_ceiling"] == 0.5


def test_names_are_cleaned(small_params: Params) -> None:
    dirty = [
        *NAMES,
        ("Tronerin???", "Polish"),
        ("J\u00c3\u00b8rgensen", "Polish"),
        ("  O\u2019Brien ", "Polish"),
        ("Bena, von", "Russian"),
    ]
    prepared = prepare_names(dirty, small_params.surname.prepare, 1)
    kept = {name for split in SPLITS for name in prepared.texts[split]["name"]} - {name.lower() for name, _ in NAMES}
    assert kept == {"o'brien"}


def test_the_limit_holds_for_each_label(small_params: Params) -> None:
    settings = small_params.surname.prepare.model_copy(update={"limit_per_label": 20})
    assert prepare_names(NAMES, settings, 1).statistics["largest_label_rows"] == 20


def test_training_names_also_come_without_accents_and_no_held_out_name_does(small_params: Params) -> None:
    accented = [(f"{a}{b}ń{c}", "Polish") for a in "bdg" for b in "aei" for c in "kmprst"]
    plain = [(name.replace("ń", "n"), "Russian") for name, _ in accented[::3]]
    settings = small_params.surname.prepare.model_copy(update={"plain_copies": True})
    prepared = prepare_names([*accented, *plain], settings, 1)
    check_names(prepared, settings.max_length)
    train = list(zip(*prepared.texts["train"].values(), strict=True))
    held_out = {name for split in ("valid", "test") for name in prepared.texts[split]["name"]}
    written = {(name, label) for name, label in train if "ń" in name}
    expected = {(n.replace("ń", "n"), label) for n, label in written if n.replace("ń", "n") not in held_out}
    assert expected == {(name, label) for name, label in train if label == "Polish"} - written
    assert prepared.statistics["plain_copies"] == len(expected) > 0
    assert len(train) == len(set(train))


def test_the_same_seed_gives_the_same_splits(small_params: Params) -> None:
    first, second, other = (prepare_names(NAMES, small_params.surname.prepare, seed) for seed in (1, 1, 2))
    assert first.texts == second.texts
    assert first.texts != other.texts


def test_held_out_sentences_occur_nowhere_else(few: PairsPrepare) -> None:
    shared = [Pair(f"p{i}", "Ce paquet contient la documentation.", "This package contains the documentation.") for i in range(8)]
    prepared = prepare_split([*PAIRS, *shared], few)
    check_pairs(prepared, few)
    assert prepared.statistics["dropped_as_overlapping"] == 4
    assert prepared.texts["train"]["source"].count(shared[0].fr) == 1


@pytest.mark.parametrize("split", ["valid", "test"])
def test_a_leaked_name_is_noticed(names: Prepared, split: str) -> None:
    leaked = dict(names.texts["train"])
    leaked["name"] = [*leaked["name"][:-1], names.texts[split]["name"][0].upper()]
    with pytest.raises(StageError, match=f"'name' are in train and in {split}"):
        check_names(replace(names, texts={**names.texts, "train": leaked}), 40)


def test_a_label_without_rows_and_a_long_name_are_noticed(names: Prepared) -> None:
    with pytest.raises(StageError, match="no row of Welsh"):
        check_names(replace(names, labels=[*names.labels, "Welsh"]), 40)
    with pytest.raises(StageError, match="longer than max_length"):
        check_names(names, 3)


def test_swapped_and_untranslated_sides_are_noticed(pairs: Prepared, few: PairsPrepare) -> None:
    check_pairs(pairs, few)
    valid = pairs.texts["valid"]
    swapped = {"source": valid["target"], "target": valid["source"]}
    with pytest.raises(StageError, match="wrong language"):
        check_pairs(replace(pairs, texts={**pairs.texts, "valid": swapped}), few)
    with pytest.raises(StageError, match="longer than max_words"):
        check_pairs(pairs, few.model_copy(update={"max_words": 3}))


@pytest.mark.parametrize(
    ("french", "english", "wrong"),
    [
        ("le chat dort sur la table", "the cat sleeps on the table", False),
        ("the cat sleeps on the table", "the cat sleeps on the table", True),
        ("the cat sleeps", "le chat dort", True),
        ("GNU Emacs", "GNU Emacs", False),  # names tell nothing; equal sides are dropped elsewhere
    ],
)
def test_language_of_each_side(french: str, english: str, wrong: bool) -> None:
    assert looks_swapped_or_untranslated(Pair("", french, english)) is wrong


def test_the_embedded_corpus_reads_as_sentences() -> None:
    pairs = list(read_debian(Path("data/embedded")))
    assert len(pairs) > 60_000
    assert len({p.group for p in pairs}) == 19_439
    assert all(p.fr and p.en for p in pairs)


def test_surnames_are_read_from_source_that_is_never_run(tmp_path: Path) -> None:
    (tmp_path / "Polish.txt").write_text("Nowak\n\nKowalski \n", encoding="utf-8")
    (tmp_path / "Irish.txt").write_text("Kelly\n", encoding="utf-8")
    (tmp_path / "names.txt").write_text("emma\nolivia\n", encoding="utf-8")
    assert read_names("makemore", tmp_path) == [("emma", FIRST_NAME), ("olivia", FIRST_NAME)]
    (tmp_path / "names.txt").unlink()
    assert read_names("names18", tmp_path) == [("Kelly", "Irish"), ("Nowak", "Polish"), ("Kowalski", "Polish")]


@given(st.lists(st.lists(st.integers(0, 9), max_size=5), min_size=1, max_size=8))
def test_arrays_read_back_what_was_written(tmp_path_factory: pytest.TempPathFactory, rows: list[list[int]]) -> None:
    folder = tmp_path_factory.mktemp("store")
    write_split(folder, {"text": rows, "label": list(range(len(rows)))})
    split = Split(folder)
    assert len(split) == len(rows)
    for i, row in enumerate(rows):
        assert split.row(i)["text"].tolist() == row
        assert int(split.row(i)["label"]) == i
    np.testing.assert_array_equal(split.lengths("text"), [len(row) for row in rows])


def test_texts_and_arrays_are_the_same_rows(prepared: dict[str, Path]) -> None:
    texts = read_texts(prepared["names"], "test")
    assert len(texts["name"]) == len(Split(prepared["names"] / "test"))
    assert read_texts(prepared["names"], "test", limit=2)["name"] == texts["name"][:2]
