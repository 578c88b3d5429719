"""Pairs to train and validate on that a translator is not tested on: the test stays, and nothing of it is trained on."""

import gzip
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.corpora.parallel import Pair, read_further, read_stories
from pipelines.params import Params
from pipelines.preparation.checks import check_pairs
from pipelines.preparation.further import add_further
from pipelines.preparation.pairs import prepare_pairs, split_pairs
from pipelines.preparation.prepared import SPLITS
from pipelines.prepare import prepare_task
from pipelines.settings.tasks import PairsPrepare

EMBEDDED = Path("data/embedded")
BASE = [Pair(f"package{i // 2}", f"le paquet {i} est pour la suite", f"the package {i} is for the suite") for i in range(40)]
FORMS = ["le paquet {} est pour la suite", "LE paquet {} est pour la suite", "le chat {} dort"]
SAYINGS = st.tuples(st.integers(0, 60), st.sampled_from(FORMS))
ENTRY = Pair("d/0", "pomme de terre", "potato", entry=True)


@pytest.fixture(scope="module")
def params(small_params: Params) -> PairsPrepare:
    further = small_params.fr_en.prepare.further.model_copy(update={"valid_pairs": 3, "repeats": 2, "entry_repeats": 3})
    return small_params.fr_en.prepare.model_copy(update={"further": further})


def sizes(params: PairsPrepare, **changes: int) -> PairsPrepare:
    return params.model_copy(update={"further": params.further.model_copy(update=changes)})


@given(st.lists(st.tuples(st.integers(0, 12), SAYINGS, st.booleans()), max_size=30), st.integers(0, 3))
def test_no_held_out_text_is_trained_on_and_the_rest_stays(
    params: PairsPrepare, drawn: list[tuple[int, tuple[int, str], bool]], seed: int
) -> None:
    further = [Pair(f"s/{g}", form.format(i), f"the cat {i} is asleep", entry=entry) for g, (i, form), entry in drawn]
    base, _ = split_pairs(BASE, params, seed)
    splits, statistics = add_further(base, further, params, seed)
    assert splits["test"] == base["test"]
    for split in ("train", "valid"):
        assert splits[split][: len(base[split])] == base[split]
    texts = {s: {text.casefold() for pair in splits[s] for text in (pair.fr, pair.en)} for s in SPLITS}
    assert texts["train"].isdisjoint(texts["valid"] | texts["test"])
    assert texts["valid"].isdisjoint(texts["test"])
    assert not any(pair.entry for pair in splits["valid"])
    added = Counter(splits["train"][len(base["train"]) :])
    assert all(count == (3 if pair.entry else 2) for pair, count in added.items())
    assert statistics["further_train_rows"] == added.total()
    assert statistics["further_valid_rows"] == len(splits["valid"]) - len(base["valid"])


def test_entries_may_be_short_and_lopsided_and_sentences_may_not(params: PairsPrepare) -> None:
    base, _ = split_pairs(BASE, params, 1)
    entries = [ENTRY, ENTRY._replace(fr="chat", en="cat")]
    sentences = [Pair("s/1", "Oui.", "Yes."), Pair("s/2", "pomme de terre", "spud")]
    splits, statistics = add_further(base, [*entries, *sentences], sizes(params, entry_repeats=1), 1)
    assert splits["train"][len(base["train"]) :] == entries
    assert statistics["further_dropped_by_filters"] == 2


def test_entries_can_be_left_out_and_the_others_drawn(params: PairsPrepare) -> None:
    base, _ = split_pairs(BASE, params, 1)
    further = [ENTRY, *(Pair(f"s/{i}", f"le chat {i} dort", f"the cat {i} is asleep") for i in range(20))]
    few = sizes(params, valid_pairs=0, entry_repeats=0, repeats=1)
    assert len(add_further(base, further, few, 1)[0]["train"]) == len(base["train"]) + 20
    limited = add_further(base, further, sizes(params, valid_pairs=0, entry_repeats=1, repeats=1, train_pairs=5), 1)[0]
    assert len(limited["train"]) == len(base["train"]) + 5
    assert limited["train"][len(base["train"]) :] != further[:5]


def test_a_data_set_with_further_pairs_is_prepared_in_either_direction(
    tmp_path: Path, small_params: Params, params: PairsPrepare
) -> None:
    said = [(f"Le chat {c} dort. Le chien est {c}.", f"The cat {c} is asleep. The dog is {c}.") for c in "abcdef"]
    stories = [*(("game", "dialogue", *sides) for sides in said), ("d", "entry", "chat", "cat")]
    write(tmp_path / "debian-bookworm-descriptions.fr-en.tsv.gz", [(pair.group, pair.fr, pair.en) for pair in BASE])
    write(tmp_path / "debian-bookworm-stories.fr-en.tsv.gz", stories)
    task = small_params.fr_en.model_copy(update={"dataset": "debian-stories-fr-en", "prepare": params})
    alone = prepare_task(task.model_copy(update={"dataset": "debian-fr-en"}), tmp_path, 1)
    there = prepare_task(task, tmp_path, 1)
    turned = task.prepare.model_copy(update={"source": "en", "target": "fr"})
    back = prepare_task(task.model_copy(update={"prepare": turned}), tmp_path, 1)
    assert there.texts["test"] == alone.texts["test"]
    for split in SPLITS:
        assert there.texts[split] == {"source": back.texts[split]["target"], "target": back.texts[split]["source"]}
    assert there.texts["train"]["source"].count("chat") == task.prepare.further.entry_repeats
    assert there.statistics["further_raw_rows"] == 13
    assert len(there.tokenizer.encode("chat")) < len(alone.tokenizer.encode("chat"))  # its subwords are learned from both


def write(path: Path, rows: list[tuple[str, ...]]) -> None:
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write("the header\n")
        file.writelines("\t".join(row) + "\n" for row in rows)


# The real file


def test_the_embedded_stories_read_as_sentences_and_entries() -> None:
    pairs = list(read_stories(EMBEDDED))
    assert sum(not pair.entry for pair in pairs) > 30_000
    assert sum(pair.entry for pair in pairs) > 15_000
    assert all(pair.fr and pair.en for pair in pairs)
    assert ("chat", "cat") in {(pair.fr, pair.en) for pair in pairs if pair.entry}
    assert list(read_further("debian-fr-en", EMBEDDED)) == []


def test_what_the_repository_carries_is_small() -> None:
    assert sum(path.stat().st_size for path in EMBEDDED.glob("*.gz")) <= 8 * 10**6


def test_the_checks_pass_with_further_pairs(params: PairsPrepare) -> None:
    base, statistics = split_pairs(BASE, params, 1)
    further = [Pair(f"s/{i}", f"le chat {i} est dans la rue", f"the cat {i} is in the street") for i in range(20)]
    splits, _ = add_further(base, [*further, ENTRY], params, 1)
    check_pairs(prepare_pairs(splits, params, statistics), params)
