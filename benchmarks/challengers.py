"""Good and bad challengers of small models, made by the pipeline's own stages: other seeds, and mistakes that people make."""

import contextlib
import json
import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import yaml
from anyascii import anyascii
from onnx import numpy_helper
from safetensors.torch import load_model

from pipelines.data.prepared import read_texts
from pipelines.kinds import parts
from pipelines.paths import BUNDLES, PREPARED, RAW, STORE, WEIGHTS
from pipelines.settings.params import load_params
from pipelines.stages import export, prepare, train
from pipelines.stages.package import Origin, package
from pipelines.tracking.runs import StageRun
from serving.bundle import GRAPH, MANIFEST, Bundle

Row = dict[str, str]
Change = dict[str, dict[str, Any]]  # block of a task -> keys
MARKS = re.compile(r"\W")
GUESSED = 8.0  # a range of weights that nobody has looked up
# Small enough for a training in seconds, with enough test rows for a comparison.
SIZES = {"surname": (6000, 1000, 6000), "names": (6000, 1000, 6000), "fr-en": (16000, 500, 400)}
SMALL: dict[str, Change] = {
    "surname": {"model": {"ngram_buckets": 16384}, "train": {"epochs": 8, "patience": 8}},
    "names": {"model": {"hidden_size": 128}, "train": {"epochs": 5, "patience": 5}},
    "fr-en": {
        "prepare": {"vocabulary_size": 2000, "joined": 0.0, "min_words": 1},
        "model": {"embedding_size": 96, "encoder_size": 96, "hidden_size": 128, "attention_size": 64},
        "train": {"epochs": 3, "patience": 3},
        "evaluate": {"heat_maps": 1},
        "export": {"num_beams": 2},
    },
}


@dataclass(frozen=True)
class Challenger:
    """How a challenger differs from the champion.

    Attributes:
        task: a task of params.yaml.
        name: what is different.
        seed: of its training.
        changes: of the task's settings.
        rows: changes the training rows.
        bundle: changes the exported bundle.
    """

    task: str
    name: str
    seed: int = 1
    changes: Change = field(default_factory=dict)
    rows: Callable[[list[Row]], list[Row]] = list
    bundle: Callable[[Path], None] | None = None


def champions() -> list[Challenger]:
    """The champion of each task."""
    return [Challenger(task, "champion") for task in SIZES]


def good() -> list[Challenger]:
    """Twenty challengers that differ in their seed alone."""
    counts = {"surname": 10, "names": 8, "fr-en": 2}
    return [Challenger(task, f"seed {seed}", seed) for task, count in counts.items() for seed in range(2, 2 + count)]


def bad() -> list[Challenger]:
    """Twenty challengers that no one should serve."""
    surname = [
        Challenger("surname", "shuffled labels", rows=shuffled("label", 1.0)),
        Challenger("surname", "a third of the labels shuffled", rows=shuffled("label", 0.33)),
        Challenger("surname", "stale data: the first tenth", rows=lambda rows: rows[: len(rows) // 10]),
        Challenger("surname", "three labels missing", rows=without_labels(3)),
        Challenger("surname", "two labels swapped", rows=swapped),
        Challenger("surname", "truncated vocabulary", rows=truncated("text", 12)),
        Challenger("surname", "reversed texts", rows=backwards("text")),
        Challenger("surname", "int8 without calibration", bundle=guessed_int8),
        Challenger("surname", "labels in another order", bundle=rotated_labels),
        Challenger("surname", "overconfident", bundle=overconfident),
        Challenger("surname", "one epoch", changes={"train": {"epochs": 1, "learning_rate": 0.0005}}),
        Challenger("surname", "sixteen times as large", changes={"model": {"ngram_buckets": 262144}}),
    ]
    names = [
        Challenger("names", "shuffled labels", rows=shuffled("label", 1.0)),
        Challenger("names", "stale data: the first tenth", rows=lambda rows: rows[: len(rows) // 10]),
        Challenger("names", "truncated vocabulary", rows=truncated("text", 12)),
        Challenger("names", "reversed texts", rows=backwards("text")),
        Challenger("names", "int8 without calibration", bundle=guessed_int8),
    ]
    translators = [
        Challenger("fr-en", "shuffled translations", rows=shuffled("target", 1.0)),
        Challenger("fr-en", "stale data: the first tenth", rows=lambda rows: rows[: len(rows) // 10]),
        Challenger("fr-en", "truncated vocabulary", rows=truncated("source", 12)),
    ]
    return [*surname, *names, *translators]


def made(challenger: Challenger, folder: Path) -> Path:
    """Prepare, train, export and package a challenger in a folder of its own; returns its archive."""
    rows = split_rows(challenger.task)
    rows["train"] = challenger.rows(rows["train"])
    with contextlib.chdir(_written(challenger, rows, folder)):
        prepare.main(challenger.task)
        params = load_params()
        block = params.task(challenger.task)
        train.train(challenger.task, params, StageRun(None, ""))
        model = parts.build(block, PREPARED / challenger.task)
        load_model(model, WEIGHTS / challenger.task / "model.safetensors")
        bundle = BUNDLES / challenger.task
        export.export(challenger.task, block, model, PREPARED / challenger.task, bundle)
        if challenger.bundle:
            challenger.bundle(bundle)
            _sealed(bundle)
        return package(bundle, block, STORE, PREPARED / challenger.task, Origin("none", "1")).absolute()


def split_rows(task: str) -> dict[str, list[Row]]:
    """Rows of the pipeline's prepared data, divided anew: few to train on, many to test on."""
    columns = [read_texts(PREPARED / task, split) for split in ("train", "valid", "test")]
    names = ("source", "target") if "source" in columns[0] else ("text", "label")
    rows = [dict(zip(names, values, strict=True)) for some in columns for values in zip(*(some[n] for n in names), strict=True)]
    random.Random(1).shuffle(rows)  # noqa: S311 - a sample, not a secret
    rows = _distinct(rows, [name for name in names if name != "label"])
    train, valid, test = SIZES[task]
    return {"train": rows[:train], "valid": rows[train : train + valid], "test": rows[train + valid :][:test]}


def _distinct(rows: list[Row], columns: Sequence[str]) -> list[Row]:
    """The rows without those that share a text with an earlier one, whatever its case, accents and marks."""
    seen, kept = set[str](), []
    for row in rows:
        texts = {f"{column} {MARKS.sub('', anyascii(row[column]).casefold())}" for column in columns}
        if seen.isdisjoint(texts):
            kept.append(row)
        seen |= texts
    return kept


def shuffled(column: str, share: float) -> Callable[[list[Row]], list[Row]]:
    """A column shuffled among a share of the rows."""

    def change(rows: list[Row]) -> list[Row]:
        count = int(share * len(rows))
        values = [row[column] for row in rows[:count]]
        random.Random(2).shuffle(values)  # noqa: S311
        return [row | {column: value} for row, value in zip(rows, values, strict=False)] + rows[count:]

    return change


def without_labels(count: int) -> Callable[[list[Row]], list[Row]]:
    """Only one row of each of the rarest labels, as each must have one."""

    def change(rows: list[Row]) -> list[Row]:
        gone = [label for label, _ in Counter(row["label"] for row in rows).most_common()[-count:]]
        one = [next(row for row in rows if row["label"] == label) for label in gone]
        return [row for row in rows if row["label"] not in gone] + one

    return change


def swapped(rows: list[Row]) -> list[Row]:
    """The two most frequent labels swapped."""
    (one, _), (other, _) = Counter(row["label"] for row in rows).most_common(2)
    names = {one: other, other: one}
    return [row | {"label": names.get(row["label"], row["label"])} for row in rows]


def truncated(column: str, size: int) -> Callable[[list[Row]], list[Row]]:
    """Texts without all but the most frequent characters, so that the model never learns the others."""

    def change(rows: list[Row]) -> list[Row]:
        kept = {c for c, _ in Counter(c for row in rows for c in row[column].lower()).most_common(size)}
        cut = [row | {column: "".join(c for c in row[column] if c.lower() in kept)} for row in rows]
        return [row for row in cut if row[column].strip()]

    return change


def backwards(column: str) -> Callable[[list[Row]], list[Row]]:
    """Texts in the wrong direction."""
    return lambda rows: [row | {column: row[column][::-1]} for row in rows]


def guessed_int8(bundle: Path) -> None:
    """Round all weights to int8 on a scale that nobody has fitted to them."""
    graph = onnx.load(bundle / GRAPH)
    for weights in graph.graph.initializer:
        if weights.data_type == onnx.TensorProto.FLOAT:
            values = numpy_helper.to_array(weights)
            rounded = np.round(np.clip(values / GUESSED, -1, 1) * 127) / 127 * GUESSED
            weights.CopyFrom(numpy_helper.from_array(rounded.astype(np.float32), weights.name))
    onnx.save(graph, bundle / GRAPH)


def rotated_labels(bundle: Path) -> None:
    """The list of labels shifted by one."""
    _edit(bundle, lambda content: {**content, "labels": content["labels"][1:] + content["labels"][:1]})


def overconfident(bundle: Path) -> None:
    """A temperature far too low."""
    _edit(bundle, lambda content: {**content, "temperature": content.get("temperature", 1.0) / 4})


def _edit(bundle: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    path = bundle / MANIFEST
    path.write_text(json.dumps(change(json.loads(path.read_text(encoding="utf-8")))), encoding="utf-8")


def _sealed(bundle: Path) -> None:
    """Write the manifest again, with the digests of the changed files."""
    said = json.loads((bundle / MANIFEST).read_text(encoding="utf-8"))
    about = Bundle.model_validate(said)
    fields = {name: getattr(about, name) for name in Bundle.model_fields if name != "files"}
    Bundle.write(bundle, **fields)


def _written(challenger: Challenger, rows: dict[str, list[Row]], folder: Path) -> Path:
    """Write the settings, the catalogue and the rows into a folder and return it."""
    name, params = challenger.task, yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    for change in (SMALL[name], challenger.changes):
        for block, keys in change.items():
            params["tasks"][name][block] |= keys
    params["tasks"][name]["prepare"] |= {"limit_per_label": 0}
    params["tasks"][name]["data"]["set"] = "rows"
    params |= {"seed": challenger.seed, "precision": "fp32", "datasets": ["rows"], "tasks": {name: params["tasks"][name]}}
    params |= {"corpora": {}, "methods": {}, "vectors": {}}
    (folder / RAW / "rows").mkdir(parents=True)
    (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    lines = [json.dumps(row | {"split": split}) for split, some in rows.items() for row in some]
    (folder / RAW / "rows/rows.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    source = {"format": "jsonl", "file": "rows.jsonl", "columns": {"split": "split"}}
    source |= {"languages": ["fr", "en"]} if name == "fr-en" else {}
    file = {"name": "rows.jsonl", "size": 1, "sha256": "0" * 64, "sources": [{"kind": "local", "path": "rows.jsonl"}]}
    entry = {"title": "rows", "licence": "none", "citation": "none", "redistributable": False, "files": [file], "rows": [source]}
    (folder / "data/catalogue.yaml").write_text(yaml.safe_dump({"rows": entry}), encoding="utf-8")
    return folder
