"""Checks of docker/ without a Docker engine: networks, write access, memory limits and versions."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

DOCKER = Path(__file__).parents[2] / "docker"
COMPOSE: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {"mlflow", "serve", "train"}
PUBLISHED = {"serve", "mlflow", "grafana"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_minimal_privileges(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert re.fullmatch(r"\d+[mg]", service["mem_limit"])
    assert not service.get("privileged")
    assert "docker.sock" not in json.dumps(service)


def test_only_user_facing_services_are_published_on_the_loopback_address() -> None:
    assert {name for name, service in SERVICES.items() if "ports" in service} == PUBLISHED
    for name in PUBLISHED:
        (port,) = SERVICES[name]["ports"]
        assert port.startswith("${SEQLINE_BIND:-127.0.0.1}:")
        assert "front" in SERVICES[name]["networks"]


def test_internal_networks_are_isolated() -> None:
    inside = {name for name, network in COMPOSE["networks"].items() if network and network.get("internal")}
    assert {*COMPOSE["networks"]} - inside == {"front", "outside"}
    on = {name: {*service["networks"]} for name, service in SERVICES.items()}
    assert {name for name in on if "database" in on[name]} == {"postgres", "mlflow"}
    assert not on["serve"] & on["mlflow"] - {"front"}
    assert all(on[name] <= inside for name in ("postgres", "storage", "prometheus", "alertmanager", "ray-head", "ray-worker"))


def test_secrets_come_from_files_and_only_reach_their_users() -> None:
    given = {secret: {name for name, s in SERVICES.items() if secret in s.get("secrets", [])} for secret in COMPOSE["secrets"]}
    assert all(given.values())
    assert given["postgres_password"] == {"postgres", "mlflow"}
    assert given["keys"] == given["certificate_key"] == {"serve"}
    assert all(content["file"].startswith("./secrets/") for content in COMPOSE["secrets"].values())
    values = json.dumps([service.get("environment", {}) for service in SERVICES.values()])
    assert not re.search(r'PASSWORD": |SECRET": |KEY": ', values)


def test_the_watch_can_read_the_records_of_the_server() -> None:
    """Their file is for its owner alone, and a new volume gets its folder's mode from the image."""
    serve, watch = SERVICES["serve"], SERVICES["watch"]
    assert serve["user"] == watch["user"] == "${SEQLINE_UID:-1000}:${SEQLINE_GID:-1000}"
    assert all("records:/records" in service["volumes"] for service in (serve, watch))
    assert "/run/seqline:uid=${SEQLINE_UID:-1000},gid=${SEQLINE_GID:-1000},mode=700,exec" in serve["tmpfs"]
    assert "chmod 1777 /records" in dockerfile("serve")


def test_who_may_train_on_ray_can_reach_it() -> None:
    asked = {name for name, service in SERVICES.items() if "RAY_ADDRESS" in service.get("environment", {})}
    assert asked == {"train", "train-gpu", "watch"}
    assert all("workers" in SERVICES[name]["networks"] for name in asked)


def test_every_service_has_a_health_check() -> None:
    """Except jobs, which simply end."""
    jobs = {"train", "train-gpu", "ray-worker"}
    in_images = {name for name in ("mlflow", "serve") if "HEALTHCHECK" in dockerfile(name)}
    assert {name for name, service in SERVICES.items() if "healthcheck" in service} | in_images | jobs == {*SERVICES}


def dockerfile(image: str) -> str:
    return (DOCKER / image / "Dockerfile").read_text(encoding="utf-8")


@pytest.mark.parametrize("image", sorted(OURS))
def test_an_image_is_pinned_labelled_and_rootless(image: str) -> None:
    text = dockerfile(image)
    assert "-c constraints.txt" in text
    assert re.findall(r"^FROM (\S+)", text, re.MULTILINE) == ["${PYTHON_IMAGE}"] * 2
    assert "org.opencontainers.image.version" in text
    assert "org.opencontainers.image.revision" in text
    assert re.findall(r"^USER (\S+)", text, re.MULTILINE)[-1] == "1000:1000"
    assert not re.search(r"^# *syntax=", text, re.MULTILINE)


def test_the_server_has_no_training_code() -> None:
    copied = re.findall(r"^COPY (?!--from)(.*)", dockerfile("serve"), re.MULTILINE)
    assert not [line for line in copied if "pipelines" in line or line.split()[0] in {".", "models"}]
    assert "'.[serve,registry]'" in dockerfile("serve")


def test_the_server_reaches_the_registry() -> None:
    assert SERVICES["serve"]["environment"] == {"MLFLOW_TRACKING_URI": "http://mlflow:5000"}
    assert {*SERVICES["serve"]["networks"]} & {*SERVICES["mlflow"]["networks"]}


@pytest.mark.parametrize("image", sorted({*OURS, "docs"}))
def test_hadolint_finds_nothing(image: str) -> None:
    linter = Path(sys.prefix) / "bin/hadolint"
    command: list[str | Path] = [linter, "--config", DOCKER / "hadolint.yaml", DOCKER / image / "Dockerfile"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_dashboard_and_the_alerts_use_exactly_the_exported_metrics() -> None:
    counted = (DOCKER.parent / "serving/telemetry/metrics.py").read_text(encoding="utf-8")
    named = set(re.findall(r'"(seqline_\w+)"', counted))
    asked = (DOCKER / "grafana/dashboards/seqline.json").read_text() + (DOCKER / "prometheus/alerts.yml").read_text()
    used = {re.sub(r"_(total|sum|count|bucket)$", "", name) for name in re.findall(r"\bseqline_\w+", asked)}
    assert used <= named
    assert named <= used, "a dashboard lacks these"
