"""The way from monitoring to a better model: `python -m benchmarks.loop [gate] [canary] [story]`, all parts by default.

- gate: how many of twenty bad challengers the gate lets through, and how many of twenty good ones it holds back. Needs
  the data of `make repro`.
- canary: simulated canaries, see `benchmarks.canaries`.
- story: a round of the loop in a clone of the checked-out commit, see `benchmarks.story`: requests that failed, seconds from
  the alert to a challenger that the gate has judged, and the share of sampled answers whose lineage is complete. Needs nginx,
  Prometheus and Alertmanager.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.canaries import simulated
from benchmarks.challengers import Challenger, bad, champions, good, made
from benchmarks.parts import run_parts
from benchmarks.pipeline import fresh_clone
from benchmarks.story import built, play
from pipelines.paths import PREPARED
from pipelines.promotion.gate import Check, checks, held_back
from pipelines.promotion.models import measured, unpack
from pipelines.report.record import Figures
from pipelines.settings.params import load_params

PACKAGES = ("mlflow", "onnxruntime", "torch", "torchserve")


def gate() -> Figures:
    """Offer the gate all challengers."""
    with TemporaryDirectory(prefix="seqline-") as scratch:
        served = {one.task: _offered(one, Path(scratch) / one.task) for one in champions()}
        passed = {}
        for kind, challengers in (("bad", bad()), ("good", good())):
            for i, one in enumerate(challengers):
                failed = held_back(_compared(served[one.task], one, Path(scratch) / f"{kind}-{i}"))
                passed[kind, i] = not failed
                said = "; ".join(check.reason for check in failed) or "passes"
                sys.stdout.write(f"{kind}: {one.task}, {one.name}: {said}\n")
                sys.stdout.flush()
    return {
        "bad_promoted": float(sum(passed["bad", i] for i in range(len(bad())))),
        "good_held": float(sum(not passed["good", i] for i in range(len(good())))),
    }


def _offered(challenger: Challenger, folder: Path) -> Path:
    folder.mkdir(parents=True)
    return made(challenger, folder)


def _compared(champion: Path, challenger: Challenger, folder: Path) -> Sequence[Check]:
    archive = _offered(challenger, folder)
    params = load_params(champion.parents[2] / "params.yaml")
    models = [unpack(path, folder / name) for name, path in (("old", champion), ("new", archive))]
    prepared = champion.parents[2] / PREPARED / challenger.task
    old, new = measured(models, params.task(challenger.task), prepared)
    return checks(params.gate, old, new, params.seed)


def round_of_the_loop() -> Figures:
    """Play a round."""
    with fresh_clone() as clone, built(clone):
        told = play(clone)
    sys.stdout.write(f"{told}\n")
    return {
        "failed": float(told.failed),
        "requests": float(sum(told.statuses.values())),
        "alert_to_challenger_s": told.alert_to_challenger_s,
        "lineage_complete": told.complete,
    }


if __name__ == "__main__":
    run_parts(
        "loop",
        "The way from monitoring to a better model.",
        {"gate": gate, "canary": simulated, "story": round_of_the_loop},
        PACKAGES,
    )
