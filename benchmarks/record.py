"""What all benchmarks share: their command line, and how they write down figures with all that is needed to repeat them."""

import argparse
import json
import os
import platform
import subprocess
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

RESULTS = Path("benchmarks/results")

Figures = dict[str, float]


def run_parts(name: str, about: str, parts: Mapping[str, Callable[[], Figures]], packages: Sequence[str]) -> None:
    """Run the parts of a benchmark that the command line names; each writes its figures as soon as it has them.

    Args:
        name: of the benchmark's module.
        about: what it measures, for its help.
        parts: name -> what measures. All are run where the command line names none.
        packages: see `record`.
    """
    command = f"python -m benchmarks.{name}"
    parser = argparse.ArgumentParser(prog=command, description=about)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"{', '.join(parts)}; all where none is named")
    chosen = parser.parse_args().parts or list(parts)
    for part in chosen:
        if part not in parts:
            parser.error(f"there is no part {part!r}; there are {', '.join(parts)}")
    for part in chosen:
        figures = {key: float(f"{value:.5g}") for key, value in parts[part]().items()}
        record(name, " ".join([command, *chosen]), packages, figures)


def record(name: str, command: str, packages: Sequence[str], figures: Mapping[str, float]) -> None:
    """Write `figures` to benchmarks/results/NAME.json.

    Figures of that file that were not measured this time stay; `earlier` names the commit that each of them is from,
    if it is another one than this time's.

    Args:
        name: of the file.
        command: what was run.
        packages: those whose versions matter to the figures.
        figures: by name.
    """
    path, commit = RESULTS / f"{name}.json", head()
    before: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"figures": {}, "commit": commit}
    commits = {key: before.get("earlier", {}).get(key, before["commit"]) for key in before["figures"] if key not in figures}
    content = {
        "command": command,
        "commit": commit,
        "date": datetime.now(UTC).date().isoformat(),
        "hardware": hardware(),
        "versions": {"python": platform.python_version(), **{package: version(package) for package in packages}},
        "figures": dict(sorted({**before["figures"], **figures}.items())),
    }
    if earlier := {key: old for key, old in commits.items() if old != commit}:
        content["earlier"] = earlier
    RESULTS.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def head() -> str:
    """The commit that is checked out."""
    done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True)  # noqa: S607 - the user's own git
    return done.stdout.strip()


def hardware() -> dict[str, str | int | float]:
    """What the figures were measured on."""
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
    }


def _cpu() -> str:
    """The processor's model where the system tells."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor()
