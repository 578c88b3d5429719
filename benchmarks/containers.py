"""Distributed training, parallel stages and the container stack: `python -m benchmarks.containers [part ...]`.

Runs all parts by default. Run `make repro` first, and use an idle machine.

- distribution: training throughput of the translator in target subwords per second, with two workers of one core each relative
  to one worker with two cores. The setup is the default profile's, with fewer pairs. Both see the same batches; their weights
  differ only by the order of sums and by dropout masks. One warm-up epoch is followed by a timed one, which includes validation
  and the checkpoint. Medians of three alternating runs.
- jobs: duration of `make repro` for the trainings of three tasks, one at a time relative to two at a time.
- stack: runs the container tests and records what they measure: the size of the serving image, the time until the whole stack is
  healthy, and how many MLflow records were lost when MLflow, its database or the server was killed. For ENGINE=own in the
  environment, see tests/containers/run.sh.
"""

import json
import os
import subprocess
import tempfile
from pathlib import Path

from benchmarks.distribution import two_over_one
from benchmarks.parts import run_parts
from benchmarks.side_by_side import figures, time_jobs
from pipelines.report.record import Figures


def stack() -> Figures:
    """Run the container tests and return what they measured; empty if this machine cannot run them.

    Raises:
        SystemExit: a test failed, or there is no Docker engine; the output above tells which.
    """
    with tempfile.TemporaryDirectory() as folder:
        measured = Path(folder) / "figures.json"
        environment = {**os.environ, "SEQLINE_FIGURES": str(measured)}
        command = ["make", "test-containers", f"ENGINE={os.environ.get('ENGINE', '')}"]
        if subprocess.run(command, env=environment, check=False).returncode:  # noqa: S603
            raise SystemExit(1)
        found: Figures = json.loads(measured.read_text(encoding="utf-8")) if measured.exists() else {}
    return found


PARTS = {"distribution": two_over_one, "jobs": lambda: figures(time_jobs()), "stack": stack}

if __name__ == "__main__":
    run_parts("containers", __doc__, PARTS, ["lightning-fabric", "torch"])
