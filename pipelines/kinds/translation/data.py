"""Prepares parallel sentences: from raw rows to splits."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from joblib import Parallel, delayed

from models.text.bpe_dropout import BpeDropout
from models.text.case import Truecaser
from models.text.normalize import normalize
from models.text.special import BOS, EOS
from models.text.subwords import SubwordTokenizer
from pipelines.data.counts import UnitCounts
from pipelines.data.prepared import CASE
from pipelines.data.reading.source import Clean, Row, RowSource
from pipelines.data.splitting.sides import Sides, length
from pipelines.data.splitting.table import Texts
from pipelines.data.writing import Divided, write_prepared
from pipelines.kinds.translation.settings import PairsPrepare, TranslationTask
from pipelines.stage import StageError
from pipelines.store import SplitWriter

COLUMNS = ("source", "target")
KEYS = ("source", "target")


def rows(task: TranslationTask, source: RowSource, raw: Path) -> Iterator[Row]:
    """See `pipelines.kinds.parts.Data`: the sides are swapped if needed, to match the task's direction.

    Raises:
        StageError: the source's languages are not the task's.
    """
    wanted = (task.prepare.source, task.prepare.target)
    found = source.languages or wanted
    if found not in (wanted, wanted[::-1]):
        raise StageError(f"{source.file} is in {found[0]} and {found[1]}, but the task translates {wanted[0]} into {wanted[1]}")
    for row in source.rows(raw):
        yield row if found == wanted else replace(row, source=row.target, target=row.source)


def cleaner(task: TranslationTask, sample: Sequence[Row]) -> Clean:
    """See `pipelines.kinds.parts.Data`: drops pairs that are too short or long, lopsided, untranslated or swapped.

    Published held-out rows are always kept, so that scores on them are comparable with the literature.
    """
    sides, params = Sides(sample), task.prepare

    def clean(row: Row, origin: RowSource) -> Row | str:
        source, target = normalize(row.source), normalize(row.target)
        if not source or not target:
            return "empty"
        if row.split in ("", "train") and (reason := _unfit(source, target, params, sides, entry=origin.dictionary)):
            return reason
        return replace(row, source=source, target=target)

    return clean


def _unfit(source: str, target: str, params: PairsPrepare, sides: Sides, *, entry: bool) -> str | None:
    """Why a pair is unsuitable for training; dictionary entries may be short and lopsided."""
    longest = params.max_words
    if length(source) > longest or length(target) > longest * params.max_ratio * sides.ratio:
        return "too_long"
    if not entry and length(source) < params.min_words:
        return "too_short"
    if not entry and not 1 / params.max_ratio <= length(target) / length(source) / sides.ratio <= params.max_ratio:
        return "lopsided"
    if source == target:
        return "untranslated"
    return "in_the_wrong_language" if sides.look_swapped(source, target) else None


def write(task: TranslationTask, divided: Divided, folder: Path) -> dict[str, float]:
    """See `pipelines.kinds.parts.Data`: one subword vocabulary for both sides, the same in either direction; and a truecaser."""
    params = task.prepare
    tokenizer = SubwordTokenizer.train(divided.sample(*COLUMNS), size=params.vocabulary_size)
    sources, targets = UnitCounts(), UnitCounts()

    def encode(texts: Texts) -> Mapping[str, list[list[int]]]:
        found = _ids(texts, tokenizer)
        sources.add(found["source"])
        targets.add(found["target"])
        return found

    joined = _Joined(params.joined)
    counts = write_prepared(folder, divided, tokenizer, encode, vary=joined)
    Truecaser.learn(divided.sample("source")).save(folder / CASE)
    Parallel(n_jobs=-1)(
        delayed(_write_drawn)(divided, tokenizer, params, seed, folder / f"train-{seed:02}")
        for seed in range(1, params.segmentations + 1)
    )
    return {
        **counts,
        "mean_target_length": targets.statistics["mean_length"],
        "longest": sources.statistics["longest"],
    }


def _ids(texts: Texts, tokenizer: SubwordTokenizer | BpeDropout) -> dict[str, list[list[int]]]:
    return {
        "source": [[*tokenizer.encode(text), EOS] for text in texts["source"]],
        "target": [[BOS, *tokenizer.encode(text), EOS] for text in texts["target"]],
    }


def _write_drawn(divided: Divided, tokenizer: SubwordTokenizer, params: PairsPrepare, seed: int, folder: Path) -> None:
    """Write the training rows with another random subword segmentation."""
    drawn, joined = BpeDropout(tokenizer, params.subword_dropout, seed), _Joined(params.joined)
    with SplitWriter(folder) as split:
        for texts in divided.batches("train"):
            split.append(_ids(joined(texts), drawn))


class _Joined:
    """Joins some pairs with the next one: the model learns to continue after a sentence end that was not detected.

    See Kondo et al. 2021, "Sentence Concatenation Approach to Data Augmentation for Neural Machine Translation", NAACL SRW.

    Args:
        share: probability that a pair is joined with the next one.
    """

    def __init__(self, share: float) -> None:
        self._share, self._random = share, random.Random(0)  # noqa: S311 - not used for security

    def __call__(self, texts: Texts) -> Texts:
        rows = iter(zip(*(texts[column] for column in COLUMNS), strict=True))
        kept = list[tuple[str, ...]]()
        for row in rows:
            following = next(rows, None) if self._random.random() < self._share else None
            kept.append(tuple(" ".join(sides) for sides in zip(row, following, strict=True)) if following else row)
        return {column: [row[i] for row in kept] for i, column in enumerate(COLUMNS)}
