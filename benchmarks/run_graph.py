"""Runs one graph on arrays from a file, in a process of its own: `python -m benchmarks.run_graph GRAPH INPUTS OUTPUTS`.

It imports numpy and onnxruntime alone, so that it also runs on an emulated processor within seconds.
"""

import sys
from pathlib import Path

import numpy as np

from serving.session import Session

if __name__ == "__main__":
    graph, inputs, outputs = map(Path, sys.argv[1:])
    with np.load(inputs) as arrays:
        found = Session(graph)(**arrays)
    np.savez(outputs, *found)
