"""The compose file's services, as a test drives them: with the `docker` command, and as a user by the published ports."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

PROJECT = "seqline-test"
CONTAINERS_USER = 1000
WAIT_S = 180.0


@dataclass(frozen=True)
class Stack:
    """A clone, and the containers that run on it.

    Attributes:
        clone: of the repository; it belongs to the containers' user.
        ports: published, by service.
        figures: what the tests measure, for SEQLINE_FIGURES.
    """

    clone: Path
    ports: dict[str, int]
    figures: dict[str, float] = field(default_factory=dict)

    def keep_all(self, before: Iterable[object], after: Iterable[object]) -> None:
        """Fail where something that was known before is not any more, and count it."""
        lost = [*before]
        for found in after:
            if found in lost:
                lost.remove(found)
        self.figures["lost"] = self.figures.get("lost", 0) + len(lost)
        assert not lost

    def compose(self, *arguments: str, profile: str = "", env: dict[str, str] | None = None) -> str:
        """Run `docker compose` and return what it printed; what it printed before it failed is in the error."""
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
        """Start services, all that can run where none are named, and return the seconds until each was healthy."""
        started = time.monotonic()
        wanted = services or self.services()
        self.compose("up", "--detach", "--wait", "--wait-timeout", "240", "--no-build", *wanted, profile=profile)
        return time.monotonic() - started

    def services(self) -> Sequence[str]:
        """Those of no profile, less what cannot run here."""
        left_out = os.environ.get("SEQLINE_WITHOUT", "").split()
        return [name for name in self.compose("config", "--services").split() if name not in left_out]

    def container(self, service: str) -> str:
        """The id of a service's container."""
        return self.compose("ps", "--all", "--quiet", service).strip()

    def inspect(self, service: str) -> dict[str, Any]:
        """What the engine says of a service's container."""
        done = subprocess.run(["docker", "inspect", self.container(service)], capture_output=True, text=True, check=True)
        (said,) = json.loads(done.stdout)
        return dict(said)

    def kill(self, service: str) -> None:
        """End a service as a crash of the machine would: at once, with no time to tidy up."""
        subprocess.run(["docker", "kill", self.container(service)], capture_output=True, check=True)

    def ask(self, model: str, body: Any) -> requests.Response:
        """Ask a model through the proxy, as its users do."""
        secrets = self.clone / "docker/secrets"
        key = (secrets / "keys").read_text(encoding="utf-8").split()[-1]
        url = f"https://localhost:{self.ports['serve']}/predictions/{model}"
        return requests.post(
            url, json=body, headers={"Authorization": f"Bearer {key}"}, verify=str(secrets / "certificate"), timeout=60
        )

    def prometheus(self, query: str) -> list[dict[str, Any]]:
        """What Prometheus answers to a query; nobody but containers can reach it."""
        url = f"http://127.0.0.1:9090/api/v1/query?{requests.models.RequestEncodingMixin._encode_params({'query': query})}"
        answer = json.loads(self.compose("exec", "--no-TTY", "prometheus", "wget", "-q", "-O", "-", url))
        assert answer["status"] == "success"
        return list(answer["data"]["result"])


def wait_until(happened: Callable[[], bool], seconds: float = WAIT_S) -> None:
    """Wait; fail where it does not happen in time."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"it did not happen within {seconds} s"
        time.sleep(0.5)


def hand_over(folder: Path) -> None:
    """Give a folder to the containers' user, where we may; else it is to be ours already."""
    if os.getuid() == 0:
        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, CONTAINERS_USER, CONTAINERS_USER)
