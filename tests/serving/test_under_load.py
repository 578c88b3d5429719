"""The server under load, faults and strange requests: in short what `benchmarks.serving` does at length."""

from collections.abc import Callable
from pathlib import Path

import pytest
from asking import MakeStore

from benchmarks.load.faults import deployments, kills, rotations
from benchmarks.load.fuzz import fuzz
from benchmarks.load.target import Target

pytestmark = [pytest.mark.live, pytest.mark.timeout(240)]
GOOD = b'{"inputs": "ab"}'


def test_a_killed_worker_fails_no_request(proxied: Target) -> None:
    figures = kills(proxied, "classification", GOOD, count=3)
    assert figures["kill_failed"] == 0
    assert figures["kill_answered"] > 100


def test_no_body_brings_a_worker_down(proxied: Target) -> None:
    found = fuzz(proxied, 1500)
    assert found.statuses[200] > 50
    assert (found.server_errors, found.hangs, found.leaks, found.breaches) == ([], [], [], [])


def test_another_version_and_another_key_fail_no_request(
    proxied: Target, other: Callable[[float], Path], make_store: MakeStore, tmp_path: Path
) -> None:
    archive = make_store(tmp_path / "packaged", other(40)) / "classification.mar"
    assert deployments(proxied, "classification", GOOD, archive)["deploy_failed"] == 0
    assert rotations(proxied, "classification", GOOD, count=3)["rotation_failed"] == 0
