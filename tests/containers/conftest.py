"""One stack for all container tests, in a clone of the last commit. The training container builds its models."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from stack import Stack, hand_over

from serving.server.ports import free_port

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack, before anything runs."""
    clone = tmp_path_factory.mktemp("stack") / "clone"
    subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
    subprocess.run([clone / "docker/secrets.sh"], check=True)
    for folder in (clone, *list(clone.parents)[:2]):
        folder.chmod(0o755)  # pytest's folders are private, but the containers' users need access
    hand_over(clone)
    stack = Stack(clone, {name: free_port() for name in ("serve", "mlflow", "grafana")})
    _remove(stack)  # an earlier run that was killed may have left volumes with other secrets
    try:
        yield stack
        if file := os.environ.get("SEQLINE_FIGURES"):
            Path(file).write_text(json.dumps(stack.figures))
    finally:
        print(stack.compose("logs", "--tail", "30"))  # noqa: T201 - pytest shows it if a test fails
        _remove(stack)


def _remove(stack: Stack) -> None:
    stack.compose("--profile", "train", "--profile", "workers", "down", "--volumes", "--timeout", "5")
