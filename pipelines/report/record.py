"""Records the figures of a benchmark or a study, with all the information needed to repeat them."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from serving.cpu import INFO, instruction_sets

RESULTS = Path("benchmarks/results")
LIMITS = (  # variables that limit the CPU instructions used by torch, Numba and OpenBLAS
    "ATEN_CPU_CAPABILITY",
    "MKL_ENABLE_INSTRUCTIONS",
    "NUMBA_CPU_FEATURES",
    "NUMBA_CPU_NAME",
    "ONEDNN_MAX_CPU_ISA",
    "OPENBLAS_CORETYPE",
)

Figures = dict[str, float]


def record(name: str, command: str, packages: Sequence[str], figures: Mapping[str, float]) -> None:
    """Write `figures` to benchmarks/results/NAME.json.

    Figures in that file that were not measured this time are kept. If they are from another commit or other hardware, `earlier`
    maps them to the commit and `elsewhere` to the hardware.

    Args:
        name: name of the file.
        command: the command that was run.
        packages: packages whose versions matter: the bare name of an installed one, name==version of one that runs in another
            environment.
        figures: values by name, written with five significant digits.
    """
    path, commit, machine = RESULTS / f"{name}.json", head(), hardware()
    short = {key: float(f"{value:.5g}") for key, value in figures.items()}
    before: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"figures": {}}
    kept = before["figures"].keys() - figures.keys()
    commits = {key: before.get("earlier", {}).get(key, before["commit"]) for key in sorted(kept)}
    machines = {key: before.get("elsewhere", {}).get(key, before["hardware"]) for key in sorted(kept)}
    named = (package.partition("==") for package in packages)
    versions = {package: elsewhere or version(package) for package, _, elsewhere in named}
    content = {
        "command": command,
        "commit": commit,
        "date": datetime.now(UTC).date().isoformat(),
        "hardware": machine,
        "versions": {"python": platform.python_version(), **versions},
        "figures": dict(sorted({**before["figures"], **short}.items())),
    }
    if earlier := {key: old for key, old in commits.items() if old != commit}:
        content["earlier"] = earlier
    if elsewhere := {key: other for key, other in machines.items() if other != machine}:
        content["elsewhere"] = elsewhere
    RESULTS.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def head() -> str:
    """Return the checked-out commit."""
    done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True)  # noqa: S607 - the user's git
    return done.stdout.strip()


def hardware() -> dict[str, Any]:
    """Describe this machine: `isa` lists the instruction sets that matter for speed, `environment` variables that limit them."""
    import torch  # imported late, as it takes seconds and writing the pages does not need it

    limits = {name: os.environ[name] for name in LIMITS if name in os.environ}
    return {
        "cpu": _cpu(),
        "isa": instruction_sets(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        **({"environment": limits} if limits else {}),
        **({"gpu": torch.cuda.get_device_name()} if torch.cuda.is_available() else {}),
    }


def _cpu() -> str:
    """Return the CPU model if the system reports it."""
    lines = INFO.read_text(encoding="utf-8").splitlines() if INFO.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor()
