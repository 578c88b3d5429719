"""The server under load: `python -m benchmarks.serving [part ...]`, all parts by default, after `make repro`, on an idle machine.

wrk and Locust generate the load over the loopback address, on the same cores as the server.

- start: seconds from `up` until all models are ready, and the resident memory of all server processes; shared pages count once
  per process.
- cost: overhead of TorchServe, measured with wrk and without the proxy. Median latency of a single client minus that of the same
  predictor in a separate process; throughput of the classifier with 16 clients relative to a no-op handler with the same
  settings; throughput of the translator with 16 clients relative to its engine on one core, at the engine's best batch size. Both
  translate the same test sentences in the same order. Medians of three rounds.
- soak: mixed traffic through the proxy, ten minutes at 70 % of the capacity measured before; then two minutes with texts of equal
  length.
- overload: three times the translator's capacity, through the proxy; median of three runs.
- faults: under load through the proxy, the classifier's worker is killed twenty times, another version is deployed and rolled
  back, and keys are rotated.
- fuzz: 20,000 fuzzed requests through the proxy.
- hostile: latency of a client of each model while another client sends the largest requests that are rejected, through the proxy.
- written: BLEU lost on capitals and on paragraphs, and how many of 1,000 answers change with typography; without a server.
"""

import json
import shutil
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

import requests
from psutil import Process

from benchmarks.load.faults import deployments, kills, rotations, worker
from benchmarks.load.fuzz import fuzz
from benchmarks.load.hostile import waits
from benchmarks.load.soak import overload, processes, resident_mib, soak
from benchmarks.load.target import TIMEOUT_S, Target
from benchmarks.load.traffic import Kind
from benchmarks.load.wrk import Rate, wrk
from benchmarks.parts import run_parts
from benchmarks.written import written
from pipelines.data.prepared import read_texts
from pipelines.kinds.classification.settings import CharactersTask
from pipelines.paths import BUNDLES, PREPARED, STORE
from pipelines.report.record import Figures
from pipelines.settings.params import load_params
from pipelines.stages.package import Origin, package
from serving.predictor import load_predictor
from serving.predictors.translation import Translator
from serving.server import control
from serving.server.archive import find_archives
from serving.server.instance import Instance
from serving.server.keys import TorchServeKeys
from serving.server.ports import HOST
from serving.server.proxy import Front, Limits

OPEN: Final = Limits(rate=100_000, burst=10_000)  # all load uses one key here; the concurrency limit is the default
SECONDS, ROUNDS = 8, 3  # for wrk
SOAK_S, EQUAL_S = 600.0, 120.0
OVERLOAD_S: Final = 15.0
KILLS, ROTATIONS, STRANGE = 20, 10, 20_000
MIX: Final = {"surname": 3, "sentiment": 3, "fr-en": 2, "names": 1, "vectors": 1}
INPUTS: Final = {"surname": ("surname", "text"), "sentiment": ("sentiment", "text"), "fr-en": ("fr-en", "source")}
TEXTS: Final = 256
BATCHES: Final = (1, 4, 8, 16, 32, 64)
HANDLER: Final = Path(__file__).with_name("load") / "trivial_handler.py"
NAME = '{"inputs": "Rossi"}'


@contextmanager
def serving() -> Iterator[Target]:
    """Run a server of the model store behind its proxy, in a temporary instance folder, for the duration of the block."""
    with TemporaryDirectory() as folder:
        try:
            control.up(STORE, Path(folder), 0, Front(limits=OPEN))
            yield Target.of(Path(folder))
        finally:
            control.down(Path(folder))


def start() -> Figures:
    """Measure the startup time and the memory of a server."""
    started = time.monotonic()
    with serving() as target:
        ready = time.monotonic() - started
        for model in MIX:
            target.ask(model, bodies(model)[0].encode()).raise_for_status()
        found = processes(target)
        each = {f"rss_mb_{model}": resident_mib([Process(worker(target, model))]) for model in MIX}
        return {"ready_s": ready, "server_rss_mb": resident_mib(found)} | each


def cost() -> Figures:
    """Measure the overhead of TorchServe over the predictors: medians of rounds that alternate between the contenders."""
    with serving() as target:
        rounds = list(_rounds(target, max(BATCHES, key=_engine)))
    found = {key: median(one[key] for one in rounds) for key in rounds[0]}
    return {
        "overhead_p50_ms": found["served_p50_ms"] - found["in_process_p50_ms"],
        "classification_over_trivial": found["classification_s"] / found["trivial_s"],
        "translation_served_over_engine": found["translation_s"] / found["engine_s"],
    } | found


def _rounds(target: Target, size: int) -> Iterator[Figures]:
    ports, keys = target.state.ports, TorchServeKeys.read(Instance(target.folder).keys)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {keys.inference}"}
    _register_trivial(target, keys)

    def ask(model: str, sent: list[str], connections: int) -> Rate:
        return wrk(f"http://{HOST}:{ports.inference}/predictions/{model}", headers, sent, connections, SECONDS)

    for _ in range(ROUNDS):
        yield {
            "in_process_p50_ms": _in_process_ms(),
            "served_p50_ms": ask("surname", [NAME], 1).p50_ms,
            "trivial_s": ask("trivial", [NAME], 16).requests_s,
            "classification_s": ask("surname", bodies("surname"), 16).requests_s,
            "engine_s": _engine(size),
            "translation_s": ask("fr-en", bodies("fr-en"), 16).requests_s,
        }


def soaked() -> Figures:
    """Run ten minutes of mixed traffic, and two minutes with texts of equal length in characters."""
    with serving() as target:
        mixed = soak(target, {model: Kind(weight=weight, bodies=bodies(model)) for model, weight in MIX.items()}, SOAK_S)
        equal = {model: Kind(weight=weight, bodies=_of_a_length(bodies(model))) for model, weight in MIX.items()}
        return mixed | {"soak_p99_over_p50_equal": soak(target, equal, EQUAL_S)["soak_p99_over_p50"]}


def overloaded() -> Figures:
    """Overload the translator."""
    with serving() as target:
        runs = [overload(target, "fr-en", bodies("fr-en"), OVERLOAD_S) for _ in range(3)]
    return {key: median(run[key] for run in runs) for key in runs[0]}


def faults() -> Figures:
    """Measure the effect of killed workers, deployments and key rotations."""
    with serving() as target, TemporaryDirectory() as folder:
        body = NAME.encode()
        return (
            kills(target, "surname", body, KILLS)
            | deployments(target, "surname", body, _other_version(Path(folder)))
            | rotations(target, "surname", body, ROTATIONS)
        )


def hostile() -> Figures:
    """Measure the latency of clients next to a hostile one."""
    with serving() as target:
        return waits(target, {model: bodies(model)[0].encode() for model in MIX})


def fuzzed() -> Figures:
    """Send fuzzed requests and count the bad answers."""
    with serving() as target:
        found = fuzz(target, STRANGE)
    return {
        "fuzz_requests": found.sent,
        "fuzz_5xx": len(found.server_errors),
        "fuzz_hangs": len(found.hangs),
        "fuzz_leaks": len(found.leaks),
        "fuzz_undocumented": len(found.breaches),
    }


def bodies(model: str) -> list[str]:
    """Return single-text requests: test texts of the task if it is listed in INPUTS, otherwise the examples of its archive."""
    if model not in INPUTS:
        found = find_archives(STORE)
        (archive,) = (archive for archive in found if archive.name == model)
        return [json.dumps(example.request) for example in archive.examples]
    task, column = INPUTS[model]
    return [json.dumps({"inputs": text}) for text in read_texts(PREPARED / task, "test", TEXTS)[column]]


def _of_a_length(bodies: list[str]) -> list[str]:
    """Return the bodies whose length is within 5 % of the median."""
    middle = sorted(map(len, bodies))[len(bodies) // 2]
    return [body for body in bodies if abs(len(body) - middle) <= middle // 20]


def _in_process_ms() -> float:
    """Return the predictor's median latency in this process, in milliseconds."""
    predictor, times = load_predictor(BUNDLES / "surname"), []
    for _ in range(5000):
        started = time.perf_counter()
        predictor.answer([NAME.encode()])
        times.append(time.perf_counter() - started)
    return 1000 * median(times)


def _engine(size: int) -> float:
    """Return sentences per second of the translator alone, in batches of `size`, in the order in which the server gets them."""
    translator = Translator.load(BUNDLES / "fr-en")
    texts = 2 * [json.loads(body)["inputs"] for body in bodies("fr-en")]
    translator.translate(texts[:size], batch_size=size)
    started = time.perf_counter()
    for first in range(0, len(texts), size):
        translator.translate(texts[first : first + size], batch_size=size)
    return len(texts) / (time.perf_counter() - started)


def _register_trivial(target: Target, keys: TorchServeKeys) -> None:
    manifest = {"model": {"modelName": "trivial", "modelVersion": "1", "handler": HANDLER.name}, "createdOn": ""}
    with zipfile.ZipFile(Instance(target.folder).store / "trivial.mar", "w") as archive:
        archive.writestr("MAR-INF/MANIFEST.json", json.dumps(manifest))
        archive.write(HANDLER, HANDLER.name)
    settings = load_params().task_of("surname", CharactersTask).serve
    query: dict[str, str | int] = {
        "batch_size": settings.batch_size,
        "max_batch_delay": settings.max_batch_delay_ms,
        "initial_workers": 1,
    }
    response = requests.post(
        f"http://{HOST}:{target.state.ports.management}/models",
        params=query | {"url": "trivial.mar", "initial_workers": 1, "synchronous": "true"},
        headers={"Authorization": f"Bearer {keys.management}"},
        timeout=TIMEOUT_S,
    )
    response.raise_for_status()


def _other_version(folder: Path) -> Path:
    """Package the classifier again, with a higher temperature."""
    copy = shutil.copytree(BUNDLES / "surname", folder / "surname")
    content = json.loads((copy / "bundle.json").read_text(encoding="utf-8"))
    (copy / "bundle.json").write_text(json.dumps(content | {"temperature": 2 * content["temperature"]}), encoding="utf-8")
    origin = Origin(run="none", version="0")
    return package(copy, load_params().task("surname"), folder / "store", PREPARED / "surname", origin)


PARTS = {"start": start, "cost": cost, "soak": soaked, "overload": overloaded, "faults": faults, "fuzz": fuzzed}
PARTS |= {"hostile": hostile, "written": written}

if __name__ == "__main__":
    run_parts("serving", __doc__, PARTS, ["locust", "onnxruntime", "schemathesis", "torchserve"])
