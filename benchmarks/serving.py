"""The server under load: `python -m benchmarks.serving [part ...]`, without arguments all, after `repro`, on a quiet machine.

Load comes from wrk and Locust over the loopback address, and so from the same cores.

- start: seconds from `up` to all models ready, and the memory of all its processes: resident, what they share counted in each.
- cost: what TorchServe costs, by wrk and without the proxy. A lone client's median latency less that of the same predictor in a
  process of its own; 16 clients of the classifier beside 16 of a handler that does nothing, with the same settings; 16 clients of
  the translator beside its engine on one core, in batches of the size that suits it best. Both translate the same test sentences
  in the same order. Medians of three rounds.
- soak: mixed traffic through the proxy for ten minutes at 70 % of what it was first seen to take.
- overload: the translator is asked for three times what it takes, through the proxy; the median of three.
- faults: the classifier's worker is killed twenty times, another version is deployed and rolled back, keys are rotated, all under
  load through the proxy.
- fuzz: 20,000 strange requests through the proxy.
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
from benchmarks.load.soak import overload, processes, resident_mib, soak
from benchmarks.load.target import TIMEOUT_S, Target
from benchmarks.load.traffic import Kind
from benchmarks.load.wrk import Rate, wrk
from benchmarks.parts import run_parts
from pipelines.package import Origin, package
from pipelines.params import load_params
from pipelines.paths import BUNDLES, PREPARED, STORE
from pipelines.preparation.prepared import read_texts
from pipelines.record import Figures
from serving import control
from serving.predictor import load_predictor
from serving.predictors.translation import Translator
from serving.server.archive import find_archives
from serving.server.instance import Instance
from serving.server.keys import TorchServeKeys
from serving.server.ports import HOST
from serving.server.proxy import Front, Limits

OPEN: Final = Limits(rate=100_000, burst=10_000)  # one key has all the load here; the limit of requests under way is the default
SECONDS, ROUNDS = 8, 3  # of wrk
SOAK_S: Final = 600.0
OVERLOAD_S: Final = 15.0
KILLS, ROTATIONS, STRANGE = 20, 10, 20_000
MIX: Final = {"surname": 3, "sentiment": 3, "fr-en": 2, "names": 1, "vectors": 1}
INPUTS: Final = {"surname": ("surname", "name"), "sentiment": ("sentiment", "text"), "fr-en": ("fr-en", "source")}
TEXTS: Final = 256
BATCHES: Final = (1, 4, 8, 16, 32, 64)
HANDLER: Final = Path(__file__).with_name("load") / "trivial_handler.py"
NAME = '{"inputs": "Rossi"}'


@contextmanager
def serving() -> Iterator[Target]:
    """A server of what is in the store, behind its proxy, in a folder of its own."""
    with TemporaryDirectory() as folder:
        try:
            control.up(STORE, Path(folder), 0, Front(limits=OPEN))
            yield Target.of(Path(folder))
        finally:
            control.down(Path(folder))


def start() -> Figures:
    """Time and memory of a server."""
    started = time.monotonic()
    with serving() as target:
        ready = time.monotonic() - started
        for model in MIX:
            target.ask(model, bodies(model)[0].encode()).raise_for_status()
        found = processes(target)
        each = {f"rss_mb_{model}": resident_mib([Process(worker(target, model))]) for model in MIX}
        return {"ready_s": ready, "server_rss_mb": resident_mib(found)} | each


def cost() -> Figures:
    """What TorchServe adds to the predictors: medians of rounds in which what is compared is measured in turn."""
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
    """Ten minutes of mixed traffic."""
    with serving() as target:
        return soak(target, {model: Kind(weight=weight, bodies=bodies(model)) for model, weight in MIX.items()}, SOAK_S)


def overloaded() -> Figures:
    """More than the translator can take."""
    with serving() as target:
        runs = [overload(target, "fr-en", bodies("fr-en"), OVERLOAD_S) for _ in range(3)]
    return {key: median(run[key] for run in runs) for key in runs[0]}


def faults() -> Figures:
    """Kills, deployments, rotations."""
    with serving() as target, TemporaryDirectory() as folder:
        body = NAME.encode()
        return (
            kills(target, "surname", body, KILLS)
            | deployments(target, "surname", body, _other_version(Path(folder)))
            | rotations(target, "surname", body, ROTATIONS)
        )


def fuzzed() -> Figures:
    """Strange requests."""
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
    """Requests of single texts: test texts of the task where its inputs are such, and else the examples of its archive."""
    if model not in INPUTS:
        found = find_archives(STORE)
        (archive,) = (archive for archive in found if archive.name == model)
        return [json.dumps(example.request) for example in archive.examples]
    task, column = INPUTS[model]
    return [json.dumps({"inputs": text}) for text in read_texts(PREPARED / task, "test", TEXTS)[column]]


def _in_process_ms() -> float:
    """Median of the predictor's own time for a request."""
    predictor, times = load_predictor(BUNDLES / "surname"), []
    for _ in range(5000):
        started = time.perf_counter()
        predictor.answer([NAME.encode()])
        times.append(time.perf_counter() - started)
    return 1000 * median(times)


def _engine(size: int) -> float:
    """Sentences a second of the translator alone, as many at a time, in the order in which the server gets them."""
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
    settings = load_params().surname.serve
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
    """The classifier again, less sure of itself."""
    copy = shutil.copytree(BUNDLES / "surname", folder / "surname")
    content = json.loads((copy / "bundle.json").read_text(encoding="utf-8"))
    (copy / "bundle.json").write_text(json.dumps(content | {"temperature": 2 * content["temperature"]}), encoding="utf-8")
    origin = Origin(run="none", version="0")
    return package(copy, load_params().surname.serve, folder / "store", PREPARED / "surname", origin)


PARTS = {"start": start, "cost": cost, "soak": soaked, "overload": overloaded, "faults": faults, "fuzz": fuzzed}

if __name__ == "__main__":
    run_parts("serving", __doc__, PARTS, ["locust", "onnxruntime", "schemathesis", "torchserve"])
