"""What takes how long, here and in the pipeline."""

import json
import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pipelines.record import RESULTS, Figures

# Set by who measures: libraries are told to do as on a CPU without AVX-512, in the variables of pipelines.record.LIMITS. Then the
# names of the figures that depend on it end so.
SUFFIX = "_avx2" if os.environ.get("ATEN_CPU_CAPABILITY") == "avx2" else ""


@contextmanager
def stopwatch(seconds: list[float]) -> Iterator[None]:
    """Append what the block takes."""
    start = time.perf_counter()
    yield
    seconds.append(time.perf_counter() - start)


def stage_seconds(tasks: Sequence[str]) -> Figures:
    """The sum over all stages of these tasks, as `benchmarks.pipeline repro` measured them; nothing where it was not run."""
    path = RESULTS / "pipeline.json"
    timed: Figures = json.loads(path.read_text(encoding="utf-8"))["figures"] if path.exists() else {}
    taken = [timed[key] for key in timed if re.fullmatch(rf"[a-z-]+[@-]({'|'.join(tasks)})_s", key)]
    return {"stages_s": sum(taken)} if taken else {}
