"""Names of non-standard HTTP headers."""

from typing import Final

VERSION: Final = "X-Model-Version"  # response: version of the model that answered
RUN: Final = "X-MLflow-Run-Id"  # response: MLflow run that registered the model
DEADLINE: Final = "X-Deadline"  # request: time limit for the answer, in seconds
PROBE: Final = "X-Probe"  # request, set by the server's health checks: do not count it in the metrics
ARRIVED: Final = "X-Request-Start"  # request, set by the server: arrival time, in seconds since 1970
REQUEST_ID: Final = "X-Request-Id"  # response: id of the answer, for feedback; request: the same, set by the server
