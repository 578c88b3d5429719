"""What a reference says about texts, as the stage `package` makes it and a server uses it."""

from itertools import count
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.packaging.held_out import held_out
from pipelines.packaging.texts import described
from serving.bundle import TOKENIZER
from serving.contents import Reference
from serving.predictors.classification import TOKENIZERS
from serving.telemetry.drift import Drift
from serving.telemetry.meter import Text

UNITS = {"sentiment": "words", "translation": "subwords", "classification": "characters"}


def size_of(bundle: Path, kind: str) -> int:
    return TOKENIZERS[UNITS[kind]](bundle / TOKENIZER).size


def texts(seed: int, first: int, behind: int, total: int = 600) -> list[Text]:
    """Texts of eight units with ids in a range, each spelled with letters that depend on its id."""
    rows = np.random.default_rng(seed).integers(first, behind, (total, 8)).tolist()
    return [Text(8, content=" ".join(chr(97 + i % 26) * (1 + i // 26) for i in ids), ids=ids) for ids in rows]


def last(reference: Reference, seen: list[Text]) -> dict[str, float]:
    drift, found = Drift(reference, count().__next__), dict[str, float]()
    for text in seen:
        found = drift.add(text) or found
    return found


@pytest.mark.parametrize("kind", ["sentiment", "translation"])
def test_a_server_finds_texts_of_other_units_and_none_of_the_same(kind: str, bundles: dict[str, Path]) -> None:
    half, size = size_of(bundles[kind], kind) // 2, size_of(bundles[kind], kind)
    reference = Reference(**described(bundles[kind], texts(1, 4, half)))
    written = Reference.model_validate_json(reference.model_dump_json())
    assert len(written.units) % size == 0
    near, far = last(written, texts(2, 4, half)), last(written, texts(3, size - 4, size))
    assert near.keys() == {"ngrams", "embedding"}
    assert max(near.values()) < 0.3
    assert min(far.values()) > 0.6


def test_a_model_of_characters_has_no_embedding(bundles: dict[str, Path]) -> None:
    fields = described(bundles["classification"], texts(1, 4, 20))
    assert fields.keys() == {"ngrams"}


def test_a_small_sample_gives_no_covariance(bundles: dict[str, Path]) -> None:
    reference = Reference(**described(bundles["sentiment"], texts(1, 4, 14, total=60)))
    assert (reference.ngrams, reference.embedding, reference.units) == (None, None, b"")


def test_repeated_texts_count_once(bundles: dict[str, Path]) -> None:
    once = texts(1, 4, 14)
    assert described(bundles["sentiment"], once) == described(bundles["sentiment"], once + once[:50] * 20)


def test_a_reference_is_of_held_out_rows_if_there_are_enough(tmp_path: Path) -> None:
    def write(split: str, rows: int) -> None:
        pq.write_table(pa.table({"text": [f"{split} {i}" for i in range(rows)]}), tmp_path / f"{split}.parquet")

    write("train", 700)
    write("valid", 600)
    assert {text.split()[0] for text in held_out(tmp_path, "text")} == {"valid"}
    write("valid", 100)
    assert len(held_out(tmp_path, "text")) == 800
