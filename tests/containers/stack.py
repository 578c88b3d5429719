"""Controls the compose file's services in tests: with the `docker` command, and through the published ports."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import requests

PROJECT = "seqline-test"
CONTAINERS_USER = 1000
WAIT_S = 180.0


@dataclass(frozen=True)
class Stack:
    """A clone, and the containers that run on it.

    Attributes:
        clone: clone of the repository, owned by the containers' user.
        ports: published ports by service.
        figures: measurements of the tests, for SEQLINE_FIGURES.
    """

    clone: Path
    ports: dict[str, int]
    figures: dict[str, float] = field(default_factory=dict)

    def keep_all(self, before: Iterable[object], after: Iterable[object]) -> None:
        """Fail if anything in `before` is missing in `after`, and count it as lost."""
        lost = [*before]
        for found in after:
            if found in lost:
                lost.remove(found)
        self.figures["lost"] = self.figures.get("lost", 0) + len(lost)
        assert not lost

    def compose(self, *arguments: str, profile: str = "", env: dict[str, str] | None = None) -> str:
        """Run `docker compose` and return its output. If it fails, the error contains the output."""
        command = ["docker", "compose", "--project-name", PROJECT, "--file", str(self.clone / "docker/compose.yaml")]
        command += ["--profile", profile] if profile else []
        done = subprocess.run([*command, *arguments], env=self.environment(env), capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(arguments)}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout

    def train(self, **environment: str) -> subprocess.Popen[str]:
        """Start the training container; the caller waits for it."""
        command = ["docker", "compose", "--project-name", PROJECT, "--file", str(self.clone / "docker/compose.yaml")]
        command += ["--profile", "train", "run", "--rm", "--no-TTY", "train"]
        log = (self.clone / "train.log").open("w")
        return subprocess.Popen(command, env=self.environment(environment), stdout=log, stderr=subprocess.STDOUT, text=True)

    def environment(self, more: dict[str, str] | None = None) -> dict[str, str]:
        published = {"SERVE_PORT": "serve", "MLFLOW_PORT": "mlflow", "GRAFANA_PORT": "grafana"}
        owner = {"SEQLINE_UID": str(CONTAINERS_USER), "SEQLINE_GID": str(CONTAINERS_USER)}
        return {**os.environ, **{name: str(self.ports[service]) for name, service in published.items()}, **owner, **(more or {})}

    def up(self, *services: str, profile: str = "") -> float:
        """Start services (default: all that can run) and return the seconds until they are healthy."""
        started = time.monotonic()
        wanted = services or self.services()
        self.compose("up", "--detach", "--wait", "--wait-timeout", "240", "--no-build", *wanted, profile=profile)
        return time.monotonic() - started

    def services(self) -> Sequence[str]:
        """Return the services without a profile, except those that cannot run here."""
        left_out = os.environ.get("SEQLINE_WITHOUT", "").split()
        return [name for name in self.compose("config", "--services").split() if name not in left_out]

    def container(self, service: str) -> str:
        """Return the id of a service's container."""
        return self.compose("ps", "--all", "--quiet", service).strip()

    def inspect(self, service: str) -> dict[str, Any]:
        """Return the output of `docker inspect` for a service's container."""
        done = subprocess.run(["docker", "inspect", self.container(service)], capture_output=True, text=True, check=True)
        (said,) = json.loads(done.stdout)
        return dict(said)

    def kill(self, service: str) -> None:
        """Kill a service with SIGKILL, so that it cannot clean up, as in a crash."""
        subprocess.run(["docker", "kill", self.container(service)], capture_output=True, check=True)

    def ask(self, model: str, body: Any) -> requests.Response:
        """Send a request to a model through the proxy."""
        return self.request("POST", f"/predictions/{model}", json=body)

    def request(self, method: str, path: str, **content: Any) -> requests.Response:
        """Send a request with the key to the proxy."""
        secrets = self.clone / "docker/secrets"
        headers = {"Authorization": f"Bearer {(secrets / 'keys').read_text(encoding='utf-8').split()[-1]}"}
        url = f"https://localhost:{self.ports['serve']}{path}"
        return requests.request(method, url, headers=headers, verify=str(secrets / "certificate"), timeout=60, **content)

    def prometheus(self, query: str) -> list[dict[str, Any]]:
        """Return the result of a Prometheus query, run inside its container, as its port is not published."""
        url = f"http://127.0.0.1:9090/api/v1/query?{urlencode({'query': query})}"
        answer = json.loads(self.compose("exec", "--no-TTY", "prometheus", "wget", "-q", "-O", "-", url))
        assert answer["status"] == "success"
        return list(answer["data"]["result"])


def wait_until(happened: Callable[[], bool], seconds: float = WAIT_S) -> None:
    """Wait until a condition holds; fail after some seconds."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"it did not happen within {seconds} s"
        time.sleep(0.5)


def hand_over(folder: Path) -> None:
    """As root, give a folder to the containers' user; otherwise, that user must be the current one."""
    if os.getuid() == 0:
        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, CONTAINERS_USER, CONTAINERS_USER)
