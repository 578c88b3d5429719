"""Splits are disjoint for any rows."""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.data.prepared import SPLITS
from pipelines.data.reading.formats import JsonLines
from pipelines.data.reading.source import Row, RowSource
from pipelines.data.splitting.splits import Rules, Splits, split_rows
from pipelines.data.splitting.table import Index, TableWriter, key_of
from pipelines.stage import StageError

RULES = Rules(valid_size=0.2, test_size=0.2, limit_per_label=0, train_rows=0, seed=1)
SOURCES = (
    RowSource(file="all"),
    RowSource(file="no test", splits=("train", "valid")),
    RowSource(file="training", splits=("train",), repeats=3),
    RowSource(file="tests", splits=("test",)),
)
WORDS = st.sampled_from(["un", "deux", "Deux", "trois", "quatre", "cinq", "six", "sept"])
PAIR = st.builds(
    Row,
    source=WORDS,
    target=WORDS,
    group=st.sampled_from(["", "", "g", "h", "i"]),
    split=st.sampled_from(["", "", "", "train", "valid", "test", "test_2"]),
)


def indexed(folder: Path, rows: Sequence[tuple[Row, int]], keys: Sequence[str] = ("text",)) -> Index:
    with TableWriter(folder / "rows.arrow", keys, keys) as table:
        for row, source in rows:
            table.append(row, source)
        return table.index()


def texts_of(splits: Splits, rows: Sequence[tuple[Row, int]]) -> dict[str, list[Row]]:
    return {split: [rows[i][0] for i in places] for split, places in splits.places.items()}


@given(st.lists(st.tuples(PAIR, st.integers(0, 3)), min_size=1, max_size=40), st.integers(0, 9))
def test_no_text_is_in_two_splits_and_every_row_is_in_an_allowed_split(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[Row, int]], seed: int
) -> None:
    index = indexed(tmp_path_factory.mktemp("table"), rows, ("source", "target"))
    splits = split_rows(index, SOURCES, RULES._replace(seed=seed))
    for split, places in splits.places.items():
        for place in places:
            row, source = rows[place]
            assert row.split in ("", "train", split)
            assert row.split or split in SOURCES[source].splits
    found = {
        split: {key_of(t) for row in some for t in (row.source, row.target)} for split, some in texts_of(splits, rows).items()
    }
    held_out = {split: keys for split, keys in found.items() if split != "train"}
    for keys in held_out.values():
        assert found["train"].isdisjoint(keys)
    ours = {"", *(() if {"valid", "test"} <= {row.split for row, _ in rows} else ("train",))}  # rows that are split here
    own = {
        split: {k for i in places if rows[i][0].split in ours for k in index.keys[i]} for split, places in splits.places.items()
    }
    for one, other in combinations(SPLITS, 2):
        assert own[one].isdisjoint(own[other])
    for split in held_out:  # published
        assert [i for i in splits.places[split] if rows[i][0].split == split] == [
            i for i, (row, _) in enumerate(rows) if row.split == split
        ]
    again = split_rows(index, SOURCES, RULES._replace(seed=seed))
    assert all((again.places[split] == splits.places[split]).all() for split in splits.places)


@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=40), st.integers(0, 9))
def test_rows_connected_by_shared_texts_are_in_one_split(
    tmp_path_factory: pytest.TempPathFactory, sides: list[tuple[str, str]], seed: int
) -> None:
    rows = [(Row(source=f"le mot {source}", target=f"the word {target}"), 0) for source, target in sides]
    index = indexed(tmp_path_factory.mktemp("table"), rows, ("source", "target"))
    splits = split_rows(index, SOURCES, RULES._replace(seed=seed))
    dropped = {name: count for name, count in splits.statistics.items() if name.startswith("dropped_from")}
    assert not any(dropped.values())
    assert sum(map(len, splits.places.values())) == len({(row.source, row.target) for row, _ in rows})


def test_each_label_gives_the_same_share(tmp_path: Path) -> None:
    rows = [(Row(text=f"text {i}", label="rare" if i % 10 == 0 else "frequent"), 0) for i in range(500)]
    for_test = texts_of(split_rows(indexed(tmp_path, rows), SOURCES, RULES), rows)
    shares = {split: (len(some), sum(row.label == "rare" for row in some)) for split, some in for_test.items()}
    assert shares == {"train": (300, 30), "valid": (100, 10), "test": (100, 10)}


def test_a_size_is_a_share_or_a_number(tmp_path: Path) -> None:
    rows = [(Row(text=f"text {i}"), 0) for i in range(50)]
    splits = split_rows(indexed(tmp_path, rows), SOURCES, RULES._replace(valid_size=7, test_size=3))
    assert [len(splits.places[split]) for split in SPLITS] == [40, 7, 3]


def test_groups_stay_together(tmp_path: Path) -> None:
    rows = [(Row(text=f"text {i}", group=f"group {i % 20}"), 0) for i in range(200)]
    found = texts_of(split_rows(indexed(tmp_path, rows), SOURCES, RULES), rows)
    homes = [{row.group for row in some} for some in found.values()]
    assert sum(map(len, homes)) == 20
    assert [len(some) for some in found.values()] == [120, 40, 40]


def test_a_text_in_several_groups_is_not_held_out_if_another_split_has_it(tmp_path: Path) -> None:
    rows = [
        (Row(text=f"text {i % 60}", group=f"group {i}", label="x" * (i // 60)), 0) for i in range(90)
    ]  # half of the texts in two groups
    found = texts_of(split_rows(indexed(tmp_path, rows), SOURCES, RULES), rows)
    texts = {split: {row.text for row in some} for split, some in found.items()}
    for one, other in combinations(SPLITS, 2):
        assert texts[one].isdisjoint(texts[other])
    assert all(texts.values())


def test_the_latest_rows_are_the_test(tmp_path: Path) -> None:
    order = np.random.default_rng(0).permutation(100)
    rows = [(Row(text=f"text {i}", time=f"2026-01-{1 + i // 5:02}"), 0) for i in order]
    found = texts_of(split_rows(indexed(tmp_path, rows), SOURCES, RULES), rows)
    latest = {split: max(row.time for row in some) for split, some in found.items()}
    earliest = {split: min(row.time for row in some) for split, some in found.items()}
    assert latest["train"] < earliest["valid"] <= latest["valid"] < earliest["test"]
    assert len(found["test"]) == 20


@pytest.mark.parametrize("time", ["yesterday", "2026-13-01"])
def test_an_invalid_time_is_an_error(tmp_path: Path, time: str) -> None:
    with pytest.raises(StageError, match=f"'{time}' in the time column is neither a number nor an ISO 8601 date"):
        indexed(tmp_path, [(Row(text="a", time=time), 0)])


def test_rows_with_and_without_a_time_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="1 of 2 rows have no time"):
        indexed(tmp_path, [(Row(text="a", time="1"), 0), (Row(text="b"), 0)])


def test_test_rows_that_training_has_are_dropped_and_label_agreement_is_reported(tmp_path: Path) -> None:
    train = [(Row(text=f"text {i}", label="ab"[i % 2]), 1) for i in range(40)]
    tests = [(Row(text=f"Text {i}!", label="a"), 3) for i in range(30, 50)]
    splits = split_rows(indexed(tmp_path, [*train, *tests]), SOURCES, RULES)
    found = texts_of(splits, [*train, *tests])
    assert {row.text for row in found["test"]} == {f"Text {i}!" for i in range(40, 50)}
    assert splits.statistics["dropped_from_test"] == 10
    assert splits.statistics["repeat_agreement"] == 0.5
    assert len(found["train"]) + len(found["valid"]) == 40


def test_repeated_rows_are_dropped_and_limits_hold(tmp_path: Path) -> None:
    rows = [(Row(text=f"text {i}", label="ab"[i % 2]), 2) for i in range(40) for _ in range(2)]
    splits = split_rows(indexed(tmp_path, rows), SOURCES, RULES._replace(limit_per_label=15, train_rows=8))
    assert splits.statistics["dropped_as_repeated"] == 40
    assert splits.statistics["dropped_by_limit"] == 10
    assert len(splits.places["train"]) == 8 * SOURCES[2].repeats
    assert len(np.unique(splits.places["train"])) == 8


def test_a_split_that_was_not_published_is_drawn_from_training(tmp_path: Path) -> None:
    rows = [(Row(text=f"text {i}", split="train" if i < 80 else "test"), 0) for i in range(100)]
    found = texts_of(split_rows(indexed(tmp_path, rows), SOURCES, RULES), rows)
    assert [row.text for row in found["test"]] == [f"text {i}" for i in range(80, 100)]
    assert [len(found[split]) for split in ("train", "valid")] == [64, 16]


def test_published_rows_keep_their_order_and_repetitions(tmp_path: Path) -> None:
    rows = [(Row(text=text, split="test"), 0) for text in ("b", "a", "b")]
    rows += [(Row(text=text, split="train"), 0) for text in ("d", "A.", "d", "c")]
    rows.append((Row(text="e", split="valid"), 0))
    found = texts_of(split_rows(indexed(tmp_path, rows), SOURCES, RULES), rows)
    assert [row.text for row in found["test"]] == ["b", "a", "b"]
    assert [row.text for row in found["train"]] == ["d", "c"]


def test_a_source_is_read_as_rows(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(
        '{"body": "a b", "queue": "0", "lang": "de"}\n{"body": "c", "queue": "1", "lang": "en"}\n'
    )
    source = JsonLines(
        format="jsonl",
        file="rows.jsonl",
        columns={"text": "body", "label": "queue"},
        where={"lang": ("de",)},
        labels={"0": "sales"},
    )
    assert list(source.rows(tmp_path)) == [Row(text="a b", label="sales")]
