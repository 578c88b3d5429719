"""Drift: false alarms and shifts that are found: `python -m benchmarks.drift [part ...]`, all parts by default.

- choose: on validation rows, the largest distance without a shift and the smallest one with one of the shifts: the threshold in
  docker/prometheus/alerts.yml is between them.
- undrifted: on test rows, the share of 200 windows without a shift in which any value is ever above its threshold. Half of the
  windows have popular texts, which repeat. Also with a reference of training rows.
- shifts: on test rows, how many of 20 shifts are found, after how many texts. The window has validation rows when one begins.
- cost: microseconds per measured text.

The thresholds are those of docker/prometheus/alerts.yml, without its waiting time. References are made as the stage `package`
makes them, and texts are measured by the server's classes. Needs the models and data of `make repro`, and access to the
addresses of other data sets, or DATA_MIRROR.
"""

import math
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import count
from pathlib import Path
from statistics import fmean, median
from typing import Final

import numpy as np
import yaml

from benchmarks.parts import run_parts
from benchmarks.shifts import MOST, SHIFTS, Shift, Split, column
from pipelines.kinds import parts
from pipelines.packaging.reference import Collector, reference
from pipelines.packaging.texts import SAMPLE
from pipelines.paths import BUNDLES, PREPARED
from pipelines.report.record import Figures
from pipelines.settings.params import load_params
from serving.contents import Reference
from serving.predictor import load_predictor
from serving.telemetry.drift import BINNED, Drift
from serving.telemetry.meter import Text

ALERTS: Final = Path("docker/prometheus/alerts.yml")
RULE: Final = re.compile(r"\((seqline_drift_\w+)\) > ([\d.]+)")
COLUMNS: Final = {"surname": "text", "sentiment": "text", "fr-en": "source"}  # of the tasks whose requests are like their data
FEATURES: Final = ("length", "label", "ngrams", "embedding")
WINDOWS: Final = 200
REQUESTS: Final = {False: 2000, True: 4000}  # of a window: with popular texts, it takes more until many are different
BATCH: Final = 64
PASSES: Final = 20


def thresholds() -> dict[str, float]:
    """The value of each feature above which there is an alert.

    Raises:
        KeyError: alerts.yml has no rule for a metric.
    """
    rules = [rule["expr"] for group in yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"] for rule in group["rules"]]
    found = {metric: float(value) for rule in rules for metric, value in RULE.findall(rule)}
    return {name: found["seqline_drift_psi" if name in BINNED else "seqline_drift_score"] for name in FEATURES}


def measured(task: str, texts: Sequence[str]) -> list[Text]:
    """What a server measures of texts; those that the model refuses are left out."""
    collector = Collector()
    predictor = load_predictor(BUNDLES / task, collector)
    for start in range(0, len(texts), BATCH):
        predictor.answer([{"inputs": text} for text in texts[start : start + BATCH]])
    return collector.texts


@cache
def served(task: str) -> Reference:
    """The reference of a task's archive."""
    return reference(BUNDLES / task, typical(task))


@cache
def trained(task: str) -> Reference:
    """A reference of training rows."""
    return reference(BUNDLES / task, column(task, COLUMNS[task], "train"))


def typical(task: str) -> list[str]:
    """The texts from which the reference is drawn."""
    return list(parts.showing(load_params().task(task)).typical(PREPARED / task))


@cache
def rows(task: str, split: Split) -> list[Text]:
    """The rows of a split; of the validation rows those that are not in the reference."""
    texts = column(task, COLUMNS[task], split)
    if split == "valid":
        order = np.random.default_rng(0).permutation(len(texts))[SAMPLE:]  # as in `reference`
        texts = [texts[i] for i in order]
    return measured(task, texts)


def values(drift: Drift, texts: Iterable[Text]) -> Iterator[dict[str, float]]:
    """What a server exports while it answers these texts."""
    yield from filter(None, map(drift.add, texts))


def largest(found: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The largest value of each feature."""
    most = dict[str, float]()
    for one in found:
        most |= {name: max(value, most.get(name, 0.0)) for name, value in one.items()}
    return most


def windows(split: Split, reference_of: Callable[[str], Reference]) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield the task and the largest values of each window without a shift, in a worker that has just started."""
    numbers = np.random.default_rng(0)
    for i in range(WINDOWS):
        task = list(COLUMNS)[i % len(COLUMNS)]
        drift = Drift(reference_of(task), count().__next__)
        yield task, largest(values(drift, traffic(rows(task, split), numbers, popular=i % 2 == 1)))


def traffic(texts: Sequence[Text], numbers: np.random.Generator, *, popular: bool) -> Iterator[Text]:
    """Draw requests: all texts as often, or each as often as its rank in a random order says (Zipf's law)."""
    weights = 1 / np.arange(1, len(texts) + 1) if popular else np.ones(len(texts))
    order = numbers.permutation(len(texts))
    for place in numbers.choice(len(texts), REQUESTS[popular], p=weights / weights.sum()):
        yield texts[order[place]]


def shifted(shift: Shift, split: Split) -> tuple[dict[str, float], dict[str, int]]:
    """The largest values while the window fills with shifted texts, and after how many of them each feature has an alarm."""
    drift, limits = Drift(served(shift.task), count().__next__), thresholds()
    for usual in rows(shift.task, "valid")[:MOST]:
        drift.add(usual)
    most, first = dict[str, float](), dict[str, int]()
    for seen, text in enumerate(measured(shift.task, shift.texts(split)[:MOST]), start=1):
        for name, value in drift.add(text).items():
            most[name] = max(value, most.get(name, 0.0))
            if value > limits[name]:
                first.setdefault(name, seen)
    return most, first


def choose() -> Figures:
    """Measure on validation rows what a threshold must be above, and what below."""
    without = [most for _, most in windows("valid", served)]
    figures = {f"valid_{name}_without": max(most.get(name, 0.0) for most in without) for name in FEATURES}
    for shift in SHIFTS:
        most, _ = shifted(shift, "valid")
        figures |= {f"valid_{shift.name}_{name}": value for name, value in most.items()}
    return figures


def undrifted() -> Figures:
    """Measure the share of windows with a false alarm, of any feature and of each."""
    figures = Figures()
    for kind, reference_of in {"false_alarms": served, "false_alarms_training_rows": trained}.items():
        alarms = [(task, alarmed(most)) for task, most in windows("test", reference_of)]
        figures[kind] = fmean(bool(names) for _, names in alarms)
        figures |= {f"{kind}_{name}": fmean(name in names for _, names in alarms) for name in FEATURES}
        for task in COLUMNS:
            figures[f"{kind}_{task.replace('-', '_')}"] = fmean(bool(names) for of, names in alarms if of == task)
    return figures | {"windows": WINDOWS}


def alarmed(most: Mapping[str, float]) -> set[str]:
    """The features with a value above their threshold."""
    limits = thresholds()
    return {name for name, value in most.items() if value > limits[name]}


def shifts() -> Figures:
    """Count the shifts that are found, by any feature and by each, and the texts that it takes."""
    figures, delays, found = Figures(), list[int](), dict.fromkeys(FEATURES, 0)
    for shift in SHIFTS:
        most, first = shifted(shift, "test")
        figures |= {f"{shift.name}_{name}": value for name, value in most.items()}
        delays += [min(first.values())] if first else []
        for name in first:
            found[name] += 1
    figures |= {f"shifts_found_{name}": number for name, number in found.items()}
    return figures | {"shifts": len(SHIFTS), "shifts_found": len(delays), "texts_to_alarm": median(delays)}


def cost() -> Figures:
    """Measure the processor time of a text, with its share of the updates: the fastest of several passes."""
    figures = Figures()
    for task in COLUMNS:
        texts, best = rows(task, "valid"), math.inf
        for _ in range(PASSES):
            drift = Drift(served(task), count().__next__)
            started = time.process_time()
            for text in texts:
                drift.add(text)
            best = min(best, (time.process_time() - started) / len(texts))
        figures[f"us_per_text_{task.replace('-', '_')}"] = best * 1e6
    return figures


if __name__ == "__main__":
    every = {"choose": choose, "undrifted": undrifted, "shifts": shifts, "cost": cost}
    run_parts("drift", "Drift: false alarms, and shifts that are found.", every, ("numpy", "onnxruntime"))
