"""Mixed traffic with Locust. Locust's gevent patches Python's sockets, so it runs in a separate process.

`send` runs `python -m benchmarks.load.traffic < plan.json > seen.json`.
"""

import itertools
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any, Final

from pydantic import BaseModel

CONNECT_S: Final = 3.0


class Kind(BaseModel):
    """Requests to one model.

    Attributes:
        weight: relative frequency.
        bodies: request bodies, sent in a cycle.
    """

    weight: int
    bodies: list[str]


class Plan(BaseModel):
    """A load test to run.

    Attributes:
        url: the proxy's URL.
        headers: headers of every request.
        kinds: requests by model.
        users: number of connections.
        seconds: duration, after a warm-up in which the users connect and nothing counts.
        rate: total requests per second over all users; 0 for a closed loop, in which each user waits for its answer.
    """

    url: str
    headers: dict[str, str]
    kinds: dict[str, Kind]
    users: int
    seconds: float
    rate: float = 0


class Seen(BaseModel):
    """Responses to the requests to one model.

    Attributes:
        answered: latencies of responses with status 200 in milliseconds, sorted.
        refused: latencies of responses with status 429 or 503 in milliseconds, sorted.
        without_advice: number of refused requests without Retry-After.
        failed: status and error of every other request.
    """

    answered: list[float] = []
    refused: list[float] = []
    without_advice: int = 0
    failed: list[str] = []


def send(plan: Plan) -> dict[str, Seen]:
    """Run a plan and return the responses by model.

    Raises:
        RuntimeError: the load generator failed.
    """
    command = [sys.executable, "-m", "benchmarks.load.traffic"]
    done = subprocess.run(command, input=plan.model_dump_json(), capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise RuntimeError(f"the load generator failed: {done.stderr[-2000:]}")
    return {model: Seen.model_validate(seen) for model, seen in _Counts.model_validate_json(done.stdout).models.items()}


def percentile(milliseconds: Sequence[float], share: float) -> float:
    """Return the percentile `share` (0 to 1) of sorted values."""
    return milliseconds[min(len(milliseconds) - 1, int(share * len(milliseconds)))]


class _Counts(BaseModel):
    models: dict[str, Seen]


def _run(plan: Plan) -> _Counts:
    import gevent
    from locust import FastHttpUser, constant_throughput, task
    from locust.env import Environment

    counts = _Counts(models={model: Seen() for model in plan.kinds})
    bodies = {model: itertools.cycle(kind.bodies) for model, kind in plan.kinds.items()}
    draw = random.Random(0)  # noqa: S311 - draws the order of requests
    models, weights = list(plan.kinds), [kind.weight for kind in plan.kinds.values()]

    class User(FastHttpUser):
        host = plan.url
        if plan.rate:
            wait_time = constant_throughput(plan.rate / plan.users)

        @task
        def ask(self) -> None:
            (model,) = draw.choices(models, weights)
            self.client.post(f"/predictions/{model}", data=next(bodies[model]), headers=plan.headers, name=model)

    environment = Environment(user_classes=[User])
    began = time.monotonic() + CONNECT_S

    def hear(**request: Any) -> None:
        if time.monotonic() > began:
            _count(counts.models[request["name"]], request)

    environment.events.request.add_listener(hear)  # type: ignore[no-untyped-call]
    runner = environment.create_local_runner()
    runner.start(plan.users, spawn_rate=plan.users)
    gevent.spawn_later(CONNECT_S + plan.seconds, runner.quit)
    runner.greenlet.join()
    for seen in counts.models.values():
        seen.answered.sort()
        seen.refused.sort()
    return counts


def _count(seen: Seen, request: dict[str, Any]) -> None:
    response = request["response"]
    if response is not None and response.status_code == 200:
        seen.answered.append(request["response_time"])
    elif response is not None and response.status_code in (429, 503):
        seen.refused.append(request["response_time"])
        seen.without_advice += "Retry-After" not in response.headers
    else:
        seen.failed.append(f"{getattr(response, 'status_code', '')} {request['exception']}")


if __name__ == "__main__":
    sys.stdout.write(_run(Plan.model_validate_json(sys.stdin.read())).model_dump_json())
