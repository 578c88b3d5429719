"""Runs one ONNX graph on arrays from a file, in a separate process: `python -m benchmarks.run_graph GRAPH INPUTS OUTPUTS`.

It imports only numpy and onnxruntime, so that it takes seconds even on an emulated CPU.
"""

import sys
from pathlib import Path

import numpy as np

from serving.predictors.session import Session

if __name__ == "__main__":
    graph, inputs, outputs = map(Path, sys.argv[1:])
    with np.load(inputs) as arrays:
        found = Session(graph)(**arrays)
    np.savez(outputs, *found)
