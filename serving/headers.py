"""HTTP headers beyond the usual ones."""

from typing import Final

VERSION: Final = "X-Model-Version"  # of an answer: which model it is from
RUN: Final = "X-MLflow-Run-Id"  # of an answer: the run that the model is from
DEADLINE: Final = "X-Deadline"  # of a request: seconds that the answer may take
PROBE: Final = "X-Probe"  # of a request, set by the server's control: whether the model answers; it is not counted
ARRIVED: Final = "X-Request-Start"  # of a request, set by the proxy: when it came, in seconds since 1970
