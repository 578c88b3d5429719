"""What takes how long, here and in the pipeline."""

import json
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pipelines.record import RESULTS, Figures


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
