"""One stack for all tests of containers, in a clone of the last commit whose models the training container builds."""

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from stack import Stack, hand_over

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Nothing runs yet."""
    clone = tmp_path_factory.mktemp("stack") / "clone"
    subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
    subprocess.run([clone / "docker/secrets.sh"], check=True)
    for folder in (clone, *list(clone.parents)[:2]):
        folder.chmod(0o755)  # pytest keeps others out, and the containers' users are others
    hand_over(clone)
    stack = Stack(clone, {name: _free_port() for name in ("serve", "mlflow", "grafana")})
    _remove(stack)  # a run before this one that was killed has left its volumes, with other secrets
    try:
        yield stack
        if file := os.environ.get("SEQLINE_FIGURES"):
            Path(file).write_text(json.dumps(stack.figures))
    finally:
        print(stack.compose("logs", "--tail", "30"))  # noqa: T201 - pytest shows it where something failed
        _remove(stack)


def _remove(stack: Stack) -> None:
    stack.compose("--profile", "train", "--profile", "workers", "down", "--volumes", "--timeout", "5")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
