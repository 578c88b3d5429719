"""A user's own data: `python -m benchmarks.own_data [rest] [f1] [memory] [lines]`, all parts by default.

- rest: time from a CSV file of 10,000 sentences with two labels to the first REST answer, in a clone with a ready environment.
- f1: the block that `seqline new` proposes, compared with logistic regression on n-grams and fastText's `supervised`, on three
  data sets of the catalogue and three seeds; needs access to the addresses of the data sets, or DATA_MIRROR.
- memory: peak memory of preparing and training with 1,000,000 rows relative to 100,000.
- lines: lines of code in models, pipelines and serving, relative to the number when tasks were hard-coded.

Each part clones the checked-out commit: uncommitted changes are not measured.
"""

import csv
import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory

import requests
import yaml

from benchmarks.fasttext_peer import FASTTEXT, fasttext_f1, installed
from benchmarks.parts import run_parts
from benchmarks.pipeline import fresh_clone, measure
from benchmarks.timing import stopwatch
from pipelines.data.catalogue import load_catalogue
from pipelines.data.fetch import Backoff
from pipelines.data.reading.rows import sources_of
from pipelines.data.reading.source import Row
from pipelines.paths import CATALOGUE, RAW
from pipelines.report.record import Figures
from pipelines.stages.download import download

PACKAGES = ("lightning-fabric", "onnxruntime", "scikit-learn", "torch", "torchserve", FASTTEXT)
SEQLINE = (sys.executable, "-c", "from serving.command_line import main; main()")
ROWS = 10_000
# One classifier for each: names by characters, sentences, and treebank sentences with predefined splits.
DATA_SETS = ("names18", "rotten-tomatoes", "sst")
SEEDS = (1, 2, 3)
BEFORE = "68068dbc"  # the commit before tasks were data
ROOMS = ("models", "pipelines", "serving")


def time_rest() -> Figures:
    """Measure the seconds from a CSV file to an answer, and count edited files other than params.yaml and data/catalogue.yaml."""
    seconds: list[float] = []
    with fresh_clone() as clone, TemporaryDirectory(prefix="seqline-") as scratch:
        path = Path(scratch) / "verdicts.csv"
        write(path, [row for row in rows_of("rotten-tomatoes") if not row.split][:ROWS])
        with stopwatch(seconds):
            run(clone, *SEQLINE, "new", "verdicts", "--data", str(path), "--kind", "classification", "--yes")
            edited = changed(clone)
            run(clone, *SEQLINE, "repro", "verdicts")
            said = run(clone, *SEQLINE, "up", "--port", "0")
            ask(clone, said)
        run(clone, *SEQLINE, "down")
    return {"csv_to_rest_s": seconds[0], "files_edited": float(len(edited - {"params.yaml", "data/catalogue.yaml"}))}


def ask(clone: Path, said: str) -> None:
    """Send the new task a request.

    Raises:
        HTTPError: the request failed.
    """
    (url,) = re.findall(r"http://\S+/predictions/verdicts", said)
    name, _, value = (clone / re.findall(r"-H @(\S+)", said)[0]).read_text(encoding="utf-8").strip().partition(": ")
    requests.post(url, json={"inputs": "a warm and funny film"}, headers={name: value}, timeout=60).raise_for_status()


def compare() -> Figures:
    """Measure the macro-F1 of the proposed block minus that of each baseline, mean over data sets and seeds."""
    found: dict[str, list[float]] = {"ours": [], "logreg": [], "fasttext": []}
    figures: Figures = {}
    with fresh_clone() as clone, installed() as packages, TemporaryDirectory(prefix="seqline-") as scratch:
        for name in DATA_SETS:
            path = Path(scratch) / f"{name}.csv"
            write(path, list(rows_of(name)))
            split = ("--split", "split") if name == "sst" else ()
            run(clone, *SEQLINE, "new", f"own-{name}", "--data", str(path), "--kind", "classification", "--yes", *split)
            scores = [score(clone, f"own-{name}", seed, packages) for seed in SEEDS]
            for key, values in found.items():
                figures[f"f1_{key}_{name}"] = fmean(one[key] for one in scores)
                values.append(figures[f"f1_{key}_{name}"])
    means = {key: fmean(values) for key, values in found.items()}
    return figures | {f"f1_minus_{key}": means["ours"] - means[key] for key in ("logreg", "fasttext")}


def score(clone: Path, task: str, seed: int, packages: Path) -> dict[str, float]:
    """Return the macro-F1 of all three models on one split."""
    params = yaml.safe_load((clone / "params.yaml").read_text(encoding="utf-8"))
    (clone / "params.yaml").write_text(yaml.safe_dump(params | {"seed": seed}, sort_keys=False), encoding="utf-8")
    run(clone, sys.executable, "-m", "dvc", "repro", f"evaluate@{task}")
    metrics = json.loads((clone / f"metrics/{task}.json").read_text(encoding="utf-8"))
    peer = fasttext_f1(packages, clone / "data/prepared" / task, seed)
    return {"ours": metrics["macro_f1"], "logreg": metrics["baseline_macro_f1"], "fasttext": peer}


def compare_memory() -> Figures:
    """Measure the peak resident memory of the prepare and train stages in MiB, for two data set sizes, and their ratio."""
    peaks = {}
    with fresh_clone() as clone, TemporaryDirectory(prefix="seqline-") as scratch:
        for rows in (100_000, 1_000_000):
            path, task = Path(scratch) / "rows.csv", f"rows-{rows}"
            write(path, made_up(rows))
            run(clone, *SEQLINE, "new", task, "--data", str(path), "--kind", "classification", "--yes")
            one_epoch(clone / "params.yaml", task)
            run(clone, sys.executable, "-m", "dvc", "repro", "--single-item", f"download@{task}")
            stages = [measure([sys.executable, "-m", f"pipelines.stages.{stage}", task], clone) for stage in ("prepare", "train")]
            peaks[rows] = max(cost.peak_mib for cost in stages)
    return {
        "peak_mib_100k": peaks[100_000],
        "peak_mib_1m": peaks[1_000_000],
        "memory_ratio_10x": peaks[1_000_000] / peaks[100_000],
    }


def one_epoch(path: Path, task: str) -> None:
    """Set a task to one epoch, as all epochs take the same memory, and to no pretrained vectors, whose table has a fixed size."""
    params = yaml.safe_load(path.read_text(encoding="utf-8"))
    params["tasks"][task]["train"] |= {"epochs": 1, "patience": 1}
    params["tasks"][task]["data"]["vectors"] = "none"
    path.write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")


def made_up(rows: int) -> Iterator[Row]:
    """Generate distinct sentences of about 20 words from reviews; the last word gives the label away."""
    words = [word for row in rows_of("rotten-tomatoes") for word in row.text.split()]
    rng = random.Random(1)  # noqa: S311 - a sample, not a secret
    for i in range(rows):
        label = ("negative", "positive")[i % 2]
        yield Row(text=" ".join([*rng.choices(words, k=rng.randint(12, 26)), ("dull", "warm")[i % 2]]), label=label)


def count_lines() -> Figures:
    """Count the lines of Python in ROOMS, now and before, and their ratio."""
    lines = {commit: _lines(commit) for commit in (BEFORE, "HEAD")}
    return {"lines_before": lines[BEFORE], "lines": lines["HEAD"], "lines_ratio": lines["HEAD"] / lines[BEFORE]}


def _lines(commit: str) -> int:
    found = run(Path(), "git", "grep", "-c", "", commit, "--", *(f"{room}/*.py" for room in ROOMS))
    return sum(int(line.rpartition(":")[2]) for line in found.splitlines())


def rows_of(name: str) -> Iterator[Row]:
    """Yield the rows of a data set of the catalogue, downloading it if necessary."""
    if not (RAW / name).exists():
        download(name, Backoff())
    for source in sources_of(load_catalogue(CATALOGUE)[name], name):
        yield from source.rows(RAW / name)


def write(path: Path, rows: Iterator[Row] | list[Row]) -> None:
    """Write rows to a CSV file with the columns text, label and split."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label", "split"])
        writer.writerows((row.text, row.label, row.split) for row in rows)


def changed(clone: Path) -> set[str]:
    """Return the files that `git status` reports as changed."""
    return {line[3:] for line in run(clone, "git", "status", "--porcelain").splitlines()}


def run(folder: Path, *command: str) -> str:
    """Run a command and return its output.

    Raises:
        CalledProcessError: the command failed.
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"} | {"PATH": path}
    return subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, check=True, text=True).stdout  # noqa: S603


if __name__ == "__main__":
    parts = {"rest": time_rest, "f1": compare, "memory": compare_memory, "lines": count_lines}
    run_parts("own_data", "A user's own data, from a CSV file to a REST answer.", parts, PACKAGES)
