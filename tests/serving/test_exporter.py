"""What the exporter shows of versions that come and go."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from serving.server.exporter import Workers
from serving.server.instance import Instance, Served, State, Trial
from serving.server.ports import choose_ports

# A worker that measures drift and ends.
WORKER = """
import sys
from serving.telemetry.metrics import DISTANCE, REQUESTS
model, version, distance = sys.argv[1:]
DISTANCE.labels(model, version, "ngrams").set(float(distance))
REQUESTS.labels(model, version, "200", "").inc()
"""


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    """The folder of a server whose workers have ended: two of version 1, and one of version 2."""
    instance = Instance(tmp_path)
    instance.prepare()
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(instance.counts)}
    for version, distance in (("1-a", "0.8"), ("1-a", "0.9"), ("2-b", "0.1")):
        subprocess.run([sys.executable, "-c", WORKER, "surname", version, distance], env=environment, check=True)
    return instance


def note(instance: Instance, version: str, previous: str | None = None, **trials: Trial) -> None:
    models = {"surname": Served(version=version, previous=previous)}
    instance.note(State(ports=choose_ports(0), proxied=True, records=instance.records, models=models, trials=trials))


def exported(instance: Instance, name: str) -> dict[str, float]:
    """The values of a metric by version."""
    samples = [sample for metric in Workers(instance).collect() for sample in metric.samples if sample.name == name]
    return {sample.labels["version"]: sample.value for sample in samples}


def test_a_gauge_goes_with_its_version_and_counters_stay(instance: Instance) -> None:
    note(instance, "1-a")
    assert exported(instance, "seqline_drift_score") == {"1-a": 0.9}
    note(instance, "2-b", previous="1-a")  # still loaded, but no request goes there
    assert exported(instance, "seqline_drift_score") == {"2-b": 0.1}
    assert exported(instance, "seqline_requests_total") == {"1-a": 2, "2-b": 1}


def test_a_challenger_has_gauges_while_it_is_on_trial(instance: Instance) -> None:
    note(instance, "1-a", surname=Trial(kind="canary", version="2-b", share=0.1, since=0))
    assert exported(instance, "seqline_drift_score") == {"1-a": 0.9, "2-b": 0.1}
    note(instance, "1-a")
    assert exported(instance, "seqline_drift_score") == {"1-a": 0.9}


def test_there_are_no_gauges_before_a_server_is_ready(instance: Instance) -> None:
    assert exported(instance, "seqline_drift_score") == {}
