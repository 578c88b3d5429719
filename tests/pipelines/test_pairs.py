"""Parallel sets with splits of their own and without, and both directions of translation."""

import gzip
import os
import shutil
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.text.special import BOS
from models.text.subwords import SubwordTokenizer
from pipelines.corpora.parallel import MULTI30K, Pair, grouped, read_multi30k, read_tatoeba
from pipelines.download import download
from pipelines.fetch import Backoff
from pipelines.params import Params
from pipelines.paths import CATALOGUE, RAW
from pipelines.preparation.checks import check_pairs
from pipelines.preparation.pairs import clean_training, prepare_pairs, split_pairs
from pipelines.preparation.prepared import SPLITS, Prepared, further_tests, read_texts, train_rows
from pipelines.prepare import prepare_task
from pipelines.settings.tasks import PairsPrepare, TranslationTask
from pipelines.stage import StageError
from pipelines.store import Alternating, Split

ROOT = Path(__file__).parents[2]
# Held out on purpose: one word, more than max_words, the same on both sides, and in the wrong language.
ODD = [
    Pair("", "Oui.", "Yes."),
    Pair("", "mot " * 60, "word"),
    Pair("", "GNU  Emacs", "GNU Emacs"),
    Pair("", "the cat", "le chat"),
]
PUBLISHED = {
    "train": [Pair("", f"un chien numéro {i} court dans la rue", f"dog number {i} runs in the street") for i in range(20)],
    "valid": [Pair("", "Deux femmes marchent.", "Two women walk."), *ODD],
    "test": [Pair("", "Un homme lit un livre.", "A man is reading a book."), Pair("", "Le chat est dehors.", "The cat is out.")],
    "test_2017_flickr": [Pair("", "Une porte est fermée.", "A door is closed."), Pair("", "Deux portes.", "Two doors.")],
}
LEAKED = [
    Pair("", "UN HOMME LIT UN LIVRE.", "Somebody reads."),
    Pair("", "Le chien est dehors.", "the cat is out."),
    Pair("", "Deux portes.", "Two doors."),
    Pair("", "Deux femmes  marchent.", "Two women go."),
]
UNFIT = [Pair("", "Non.", "No."), Pair("", "mot " * 60, "word " * 60), Pair("", "the dog is here", "le chien est ici")]


def as_texts(pairs: list[Pair]) -> list[tuple[str, str]]:
    """Both sides, with single spaces."""
    return [(" ".join(pair.fr.split()), " ".join(pair.en.split())) for pair in pairs]


def rows(prepared: Prepared, split: str) -> list[tuple[str, str]]:
    return list(zip(prepared.texts[split]["source"], prepared.texts[split]["target"], strict=True))


def write_multi30k(folder: Path, splits: dict[str, list[Pair]]) -> Path:
    folder.mkdir(parents=True)
    for split, name in MULTI30K.items():
        for side in ("fr", "en"):
            with gzip.open(folder / f"{name}.{side}.gz", "wt", encoding="utf-8") as file:
                file.writelines(f"{getattr(pair, side)}\n" for pair in splits[split])
    return folder


@pytest.fixture
def multi30k(small_params: Params) -> TranslationTask:
    return small_params.fr_en.model_copy(update={"dataset": "multi30k-fr-en"})


@pytest.fixture
def english_first(small_params: Params) -> PairsPrepare:
    return small_params.fr_en.prepare.model_copy(update={"source": "en", "target": "fr"})


def downloaded(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data set as the download stage gives it, from the mirror."""
    if not os.environ.get("DATA_MIRROR"):
        pytest.skip("needs DATA_MIRROR: the data set is not in the repository")
    (folder / CATALOGUE).parent.mkdir(parents=True)
    shutil.copyfile(ROOT / CATALOGUE, folder / CATALOGUE)
    monkeypatch.chdir(folder)
    download(name, Backoff(attempts=1))
    return RAW / name


# Published splits


def test_published_splits_are_read_line_for_line(tmp_path: Path) -> None:
    assert read_multi30k(write_multi30k(tmp_path / "raw", PUBLISHED)) == PUBLISHED


def test_held_out_splits_stay_whole_and_in_order_and_filters_are_for_training(tmp_path: Path, multi30k: TranslationTask) -> None:
    train = [*UNFIT, *PUBLISHED["train"], *PUBLISHED["train"][:3], *LEAKED]
    prepared = prepare_task(multi30k, write_multi30k(tmp_path / "raw", {**PUBLISHED, "train": train}), 1)
    for split in ("valid", "test", "test_2017_flickr"):
        assert rows(prepared, split) == as_texts(PUBLISHED[split])
    assert rows(prepared, "train") == as_texts(PUBLISHED["train"])
    dropped = {key: prepared.statistics[key] for key in ("raw_rows", "dropped_by_filters", "dropped_from_train")}
    assert dropped == {"raw_rows": 27, "dropped_by_filters": len(UNFIT), "dropped_from_train": len(LEAKED)}


def test_the_seed_and_the_sizes_of_our_own_splits_do_not_touch_published_ones(tmp_path: Path, multi30k: TranslationTask) -> None:
    folder = write_multi30k(tmp_path / "raw", PUBLISHED)
    sized = multi30k.model_copy(update={"prepare": multi30k.prepare.model_copy(update={"valid_pairs": 1, "test_pairs": 1})})
    assert prepare_task(multi30k, folder, 1).texts == prepare_task(sized, folder, 2).texts


def test_a_further_test_set_is_written_as_text_alone(tmp_path: Path, multi30k: TranslationTask) -> None:
    prepared = prepare_task(multi30k, write_multi30k(tmp_path / "raw", PUBLISHED), 1)
    prepared.write(tmp_path / "out")
    assert further_tests(tmp_path / "out") == ["test_2017_flickr"]
    assert read_texts(tmp_path / "out", "test_2017_flickr") == prepared.texts["test_2017_flickr"]
    assert {path.name for path in (tmp_path / "out").iterdir() if path.is_dir()} == set(SPLITS)
    assert {f"{split}_rows": prepared.summary()[f"{split}_rows"] for split in PUBLISHED} == {
        f"{split}_rows": len(pairs) for split, pairs in PUBLISHED.items()
    }


@pytest.mark.parametrize("split", ["valid", "test", "test_2017_flickr"])
@pytest.mark.parametrize("column", ["source", "target"])
def test_what_training_shares_with_a_published_split_is_noticed(small_params: Params, split: str, column: str) -> None:
    params = small_params.fr_en.prepare
    prepared = prepare_pairs(clean_training(PUBLISHED, params)[0], params, {})
    check_pairs(prepared, params, filtered=["train"])
    prepared.texts["train"][column][0] = prepared.texts[split][column][1].upper()
    with pytest.raises(StageError, match=f"{column!r} are in train and in {split}"):
        check_pairs(prepared, params, filtered=["train"])


# Directions


def test_the_other_direction_is_the_same_with_the_sides_swapped(small_params: Params, english_first: PairsPrepare) -> None:
    records = [Pair(f"group{i // 2}", f"le {i} est pour la suite", f"the {i} is for the suite, which is here") for i in range(60)]
    splits, statistics = split_pairs(records, small_params.fr_en.prepare, 1)
    assert split_pairs(records, english_first, 1) == (splits, statistics)
    there, back = (prepare_pairs(splits, params, statistics) for params in (small_params.fr_en.prepare, english_first))
    assert there.texts["train"]["source"][0].startswith("le ")
    for split in SPLITS:
        assert there.texts[split]["source"] == back.texts[split]["target"]
        assert there.texts[split]["target"] == back.texts[split]["source"]
        source, target = there.arrays[split]["source"], there.arrays[split]["target"]
        assert back.arrays[split]["target"] == [[BOS, *ids] for ids in source]
        assert back.arrays[split]["source"] == [ids[1:] for ids in target]
    assert [there.tokenizer.encode(pair.fr) for pair in records] == [back.tokenizer.encode(pair.fr) for pair in records]


def test_the_languages_are_checked_in_either_direction(small_params: Params, english_first: PairsPrepare) -> None:
    records = [Pair(f"p{i}", f"le paquet {i} est pour la suite", f"the package {i} is for the suite") for i in range(20)]
    splits, _ = split_pairs(records, english_first, 1)
    prepared = prepare_pairs(splits, english_first, {})
    check_pairs(prepared, english_first)
    with pytest.raises(StageError, match="wrong language: 'the package"):
        check_pairs(prepared, small_params.fr_en.prepare)


# Tatoeba


def test_all_translations_of_a_sentence_are_in_one_split(tmp_path: Path, small_params: Params) -> None:
    lines = [f"The word is {w}.\tLe mot {v} est {w}.\n" for w in "abcdefghijklmnop" for v in ("un", "deux", "trois")]
    (tmp_path / "fra.txt").write_text("".join(lines), encoding="utf-8")
    records = list(read_tatoeba(tmp_path))
    assert records[0] == Pair("The word is a.", "Le mot un est a.", "The word is a.")
    splits, statistics = split_pairs(records, small_params.fr_en.prepare, 1)
    assert [len(splits[split]) for split in SPLITS] == [36, 6, 6]  # two groups each hold the four that are wanted
    assert sum(len({pair.en for pair in splits[split]}) for split in SPLITS) == 16
    assert statistics["dropped_as_overlapping"] == 0


WORDS = st.sampled_from(["un", "deux", "Deux", "trois", "quatre", "cinq", "six"])


@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=40), st.integers(0, 9))
def test_what_shares_a_sentence_directly_or_not_is_in_one_split(
    small_params: Params, numbers: list[tuple[str, str]], seed: int
) -> None:
    pairs = grouped([(f"le mot {french}", f"the word {english}") for french, english in numbers])
    for one, other in product(pairs, repeat=2):
        if one.fr.casefold() == other.fr.casefold() or one.en.casefold() == other.en.casefold():
            assert one.group == other.group
    assert {pair.group for pair in pairs} <= {pair.en for pair in pairs}
    splits, statistics = split_pairs(pairs, small_params.fr_en.prepare, seed)
    homes = [{pair.group for pair in splits[split]} for split in SPLITS]
    assert sum(map(len, homes)) == len(set().union(*homes)) == len({pair.group for pair in pairs})
    assert statistics["dropped_as_overlapping"] == 0


def test_a_chain_of_translations_is_a_group() -> None:
    chain = [("Salut !", "Hi."), ("Salut !", "Hello."), ("Bonjour !", "hello."), ("Au revoir.", "Bye.")]
    assert [pair.group for pair in grouped(chain)] == ["Hi.", "Hi.", "Hi.", "Bye."]


# The real files


def test_multi30k_has_its_published_sizes(tmp_path: Path, small_params: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    splits = read_multi30k(downloaded("multi30k-fr-en", tmp_path, monkeypatch))
    assert {split: len(pairs) for split, pairs in splits.items()} == {
        "train": 29_000,
        "valid": 1014,
        "test": 1000,
        "test_2017_flickr": 1000,
    }
    assert splits["test"][0].fr == "Un homme avec un chapeau orange regardant quelque chose."
    params = small_params.fr_en.prepare.model_copy(update={"max_words": 50})
    cleaned, statistics = clean_training(splits, params)
    assert {split: as_texts(list(cleaned[split])) for split in splits if split != "train"} == {
        split: as_texts(splits[split]) for split in splits if split != "train"
    }
    assert statistics == {"raw_rows": 28_995, "dropped_by_filters": 3, "dropped_from_train": 4}


def test_tatoeba_has_its_published_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = list(read_tatoeba(downloaded("tatoeba-fr-en", tmp_path, monkeypatch)))
    assert len(pairs) == 142_787
    assert all(pair.fr and pair.en for pair in pairs)


def test_further_segmentations_are_the_training_pairs_in_other_subwords(small_params: Params, tmp_path: Path) -> None:
    params = small_params.fr_en.prepare.model_copy(update={"segmentations": 2, "subword_dropout": 0.5})
    prepared = prepare_pairs(clean_training(PUBLISHED, params)[0], params, {})
    prepared.write(tmp_path)
    rows, forms = train_rows(tmp_path), [Split(tmp_path / name) for name in ("train", "train-01", "train-02")]
    tokenizer = SubwordTokenizer.load(tmp_path / "tokenizer.json")
    assert isinstance(rows, Alternating)
    for column in ("source", "target"):
        texts = [[tokenizer.decode(form.row(i)[column][column == "target" :]) for i in range(len(form))] for form in forms]
        assert texts[0] == texts[1] == texts[2]
        drawn = [[form.row(i)[column].tolist() for i in range(len(form))] for form in forms]
        assert drawn[0] != drawn[1] != drawn[2]
