"""The server under load, faults and fuzzed requests: a short version of `benchmarks.serving`."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from asking import MakeStore

from benchmarks.load.faults import deployments, kills, rotations
from benchmarks.load.fuzz import fuzz
from benchmarks.load.soak import overload, soak
from benchmarks.load.target import Target
from benchmarks.load.traffic import Kind
from serving.server import control
from serving.server.proxy import Front

pytestmark = [pytest.mark.live, pytest.mark.timeout(240)]
GOOD = b'{"inputs": "ab"}'
BODIES = {
    "classification": ['{"inputs": "Rossi"}', '{"inputs": ["Müller", "Kelly"]}'],
    "sentiment": ['{"inputs": "a good film"}', '{"inputs": "dull", "parameters": {"explain": true}}'],
    "generation": ['{"inputs": "Ro"}', '{"inputs": ""}'],
    "translation": [
        '{"inputs": "un chien court dans l\'herbe", "parameters": {"min_length": 20}}',
        '{"inputs": "la porte est fermée"}',
    ],
    "vectors": ['{"inputs": "king"}'],
}


def test_mixed_traffic_fails_no_request_and_leaks_no_memory(proxied: Target) -> None:
    kinds = {kind: Kind(weight=1, bodies=bodies) for kind, bodies in BODIES.items()}
    figures = soak(proxied, kinds, seconds=30)
    assert figures["soak_5xx"] == 0
    assert {f"soak_{kind}_p50_ms" for kind in BODIES} <= figures.keys()
    assert figures["soak_memory_growth"] < 0.02


def test_overload_is_refused_with_retry_after(proxied: Target) -> None:
    figures = overload(proxied, "translation", BODIES["translation"], seconds=5)
    assert figures["overload_failed"] == 0
    assert figures["overload_answered"] > 0
    assert figures["overload_sent"] > figures["overload_answered"]


@pytest.fixture
def patient(bundles: dict[str, Path], make_store: MakeStore, tmp_path: Path) -> Iterator[Target]:
    """A server whose deadline leaves time for a worker to start again on a busy machine."""
    try:
        control.up(make_store(tmp_path / "packaged", bundles["classification"], deadline_s=12), tmp_path, 0, Front())
        yield Target.of(tmp_path)
    finally:
        control.down(tmp_path)


@pytest.mark.usefixtures("proxied")  # which skips the test without nginx
def test_a_killed_worker_fails_no_request(patient: Target) -> None:
    figures = kills(patient, "classification", GOOD, count=3)
    assert figures["kill_failed"] == 0
    assert figures["kill_answered"] > 0


def test_no_body_crashes_a_worker(proxied: Target) -> None:
    found = fuzz(proxied, 1500)
    assert found.statuses[200] > 50
    assert (found.server_errors, found.hangs, found.leaks, found.breaches) == ([], [], [], [])


def test_deployments_and_key_rotations_fail_no_request(
    proxied: Target, other: Callable[[float], Path], make_store: MakeStore, tmp_path: Path
) -> None:
    archive = make_store(tmp_path / "packaged", other(40)) / "classification.mar"
    assert deployments(proxied, "classification", GOOD, archive)["deploy_failed"] == 0
    assert rotations(proxied, "classification", GOOD, count=3)["rotation_failed"] == 0
