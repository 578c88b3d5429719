"""Past one process: `python -m benchmarks.containers [part ...]`, without arguments all, after `repro`, on a quiet machine.

- distribution: target subwords a second of training the translator, as the default profile does but on fewer pairs, by two
  workers of one core each over one worker of two cores. The batches are the same, and so are the weights but for the order of
  sums and dropout's masks. An epoch is timed with its validation and its checkpoint, after one to warm up; medians of three, in
  turn.
"""

from benchmarks.distribution import two_over_one
from benchmarks.parts import run_parts

PARTS = {"distribution": two_over_one}

if __name__ == "__main__":
    run_parts("containers", __doc__, PARTS, ["lightning-fabric", "torch"])
