"""Closed-loop load with wrk: each connection sends its next request as soon as it has the answer."""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from pipelines.stage import StageError

MILLISECONDS: Final = {"us": 1e-3, "ms": 1.0, "s": 1e3}
SCRIPT: Final = """\
local bodies = {%s}
local turn = 0
wrk.method = "POST"
function request()
  turn = turn %% #bodies + 1
  return wrk.format(nil, nil, nil, bodies[turn])
end
"""


@dataclass(frozen=True)
class Rate:
    """wrk's result.

    Attributes:
        requests_s: requests per second.
        p50_ms: median latency in milliseconds.
    """

    requests_s: float
    p50_ms: float


def wrk(url: str, headers: Mapping[str, str], bodies: Sequence[str], connections: int, seconds: int) -> Rate:
    """Post the bodies in a cycle over some connections, from one thread.

    Raises:
        StageError: wrk is not installed, or a request failed.
    """
    if shutil.which("wrk") is None:
        raise StageError("wrk is not installed; install it with `apt-get install wrk`")
    with TemporaryDirectory() as folder:
        script = Path(folder) / "bodies.lua"
        script.write_text(SCRIPT % ", ".join(json.dumps(body, ensure_ascii=False) for body in bodies), encoding="utf-8")
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(script)]
        command += [word for name, value in headers.items() for word in ("-H", f"{name}: {value}")]
        said = subprocess.run([*command, url], capture_output=True, text=True, check=True).stdout  # noqa: S603
    if "Non-2xx" in said or "Socket errors" in said:
        raise StageError(f"requests to {url} failed:\n{said}")
    median, rate = re.search(r"50%\s+([\d.]+)(us|ms|s)", said), re.search(r"Requests/sec:\s+([\d.]+)", said)
    if median is None or rate is None:
        raise StageError(f"unexpected output of wrk:\n{said}")
    return Rate(float(rate[1]), float(median[1]) * MILLISECONDS[median[2]])
