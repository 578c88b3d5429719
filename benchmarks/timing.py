"""Timers, and stage durations measured by `benchmarks.pipeline`."""

import json
import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pipelines.report.record import RESULTS, Figures

# Suffix of figures measured with libraries restricted to AVX2 by environment variables; see pipelines.report.record.LIMITS.
SUFFIX = "_avx2" if os.environ.get("ATEN_CPU_CAPABILITY") == "avx2" else ""


@contextmanager
def stopwatch(seconds: list[float]) -> Iterator[None]:
    """Append the duration of the block in seconds."""
    start = time.perf_counter()
    yield
    seconds.append(time.perf_counter() - start)


def stage_seconds(tasks: Sequence[str]) -> Figures:
    """Sum the seconds of all stages of these tasks, as measured by `benchmarks.pipeline repro`; empty if it was not run."""
    path = RESULTS / "pipeline.json"
    timed: Figures = json.loads(path.read_text(encoding="utf-8"))["figures"] if path.exists() else {}
    taken = [timed[key] for key in timed if re.fullmatch(rf"[a-z-]+[@-]({'|'.join(tasks)})_s", key)]
    return {"stages_s": sum(taken)} if taken else {}
