"""onnxruntime sessions, configured to share a machine with other workers."""

from functools import partial
from pathlib import Path
from typing import Any

import onnxruntime

from serving.predictors.watch import Watch


class Session:
    """One ONNX graph, called with its inputs as keyword arguments. It is stateless, so threads may share it.

    Args:
        path: the ONNX file.
        threads: maximum number of cores that one call uses. One suits a server, which has a worker process for each core.
        long: whether one call may take so long that a watch must be able to stop it from another thread.
    """

    def __init__(self, path: Path, *, threads: int = 1, long: bool = False) -> None:
        self._long = long
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors only; warnings include constants that it has folded itself
        # Idle threads would otherwise spin and take the core from other processes.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def __call__(self, watch: Watch | None = None, /, **inputs: Any) -> Any:
        """The graph's outputs in the order of its signature, as a list of arrays.

        Raises:
            DeadlineError: the deadline passed.
        """
        if watch is None:
            return self._session.run(None, inputs)
        options = onnxruntime.RunOptions()
        with watch.model(partial(setattr, options, "terminate", True) if self._long else None):
            return self._session.run(None, inputs, options)

    @property
    def inputs(self) -> list[str]:
        """The names of the inputs, in order."""
        return [declared.name for declared in self._session.get_inputs()]

    def width(self, name: str) -> int:
        """The last, static dimension of an input."""
        (shape,) = (i.shape for i in self._session.get_inputs() if i.name == name)
        return int(shape[-1])
