"""Fixtures for trainings on feedback."""

from pathlib import Path

import pytest
from corrections import Corrections, fill


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, see `corrections.fill`."""
    fill(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def corrections(repository: Path) -> Corrections:  # noqa: ARG001 - the working directory
    """Feedback on a server's answers."""
    return Corrections()
