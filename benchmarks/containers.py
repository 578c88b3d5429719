"""Past one process: `python -m benchmarks.containers [part ...]`, without arguments all, after `repro`, on a quiet machine.

- distribution: target subwords a second of training the translator, as the default profile does but on fewer pairs, by two
  workers of one core each over one worker of two cores. The batches are the same, and so are the weights but for the order of
  sums and dropout's masks. An epoch is timed with its validation and its checkpoint, after one to warm up; medians of three, in
  turn.
- jobs: seconds of `make repro` of three tasks' trainings, one at a time over two at a time.
- stack: the tests of the containers, and what they measure: the size of the image that serves, the time until the whole stack is
  healthy, and what was lost of what MLflow had been told when it, its database or the server was killed. ENGINE=own in the
  environment: see tests/containers/run.sh.
"""

import json
import os
import subprocess
import tempfile
from pathlib import Path

from benchmarks.distribution import two_over_one
from benchmarks.parts import run_parts
from benchmarks.side_by_side import figures, time_jobs
from pipelines.record import Figures


def stack() -> Figures:
    """Run the tests of the containers, and return what they measured: nothing where a machine does not let them run.

    Raises:
        SystemExit: one has failed, or there is no engine, as is said above it.
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
