"""The Kubernetes manifests match the project's images."""

import json
import re

import pytest
import yaml
from manifests import CLUSTERS, KUBERNETES, ROOT, cluster, named, objects, pods, text

on_each_cluster = pytest.mark.parametrize("name", CLUSTERS)


def dockerfile(image: str) -> str:
    """Return an image's Dockerfile; the GPU image is built from the same one, with another argument."""
    folder = image.removeprefix("seqline/").partition(":")[0].removesuffix("-cuda")
    return (ROOT / "docker" / folder / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")


@on_each_cluster
def test_every_workspace_is_the_images_writable_working_directory(name: str) -> None:
    everything = cluster(name)
    users = [(p, c) for p in pods(everything) for c in p.containers if "workspace.sh" in text(everything, c)]
    assert {container["name"] for _, container in users} == {"fetch", "ray-head"}
    (folder,) = re.findall(r"^WORKDIR (\S+)", dockerfile("seqline/train").rpartition("FROM")[2], re.MULTILINE)
    assert all(pod.can_write(container, folder) for pod, container in users)


@on_each_cluster
def test_every_image_version_is_set_in_one_place(name: str) -> None:
    settings = yaml.safe_load((KUBERNETES / "images" / "kustomization.yaml").read_text(encoding="utf-8"))["images"]
    listed = {f"{image.get('newName', image['name'])}:{image['newTag']}" for image in settings}
    assert {container["image"] for pod in pods(cluster(name)) for container in pod.containers} <= listed
    assert [image for image in settings if image["newTag"] == "latest"] == []


def test_the_database_image_equals_the_compose_files() -> None:
    (image,) = (c["image"] for pod in pods(objects("base")) for c in pod.containers if pod.name == "postgres")
    assert f"${{POSTGRES_IMAGE:-{image}}}" in (ROOT / "docker" / "compose.yaml").read_text(encoding="utf-8")


@on_each_cluster
def test_users_and_ports_match_the_images(name: str) -> None:
    for pod in pods(cluster(name)):
        for container in pod.containers:
            if container["image"].startswith("seqline/"):
                built = dockerfile(container["image"])
                (user,) = re.findall(r"^USER (\d+)", built, re.MULTILINE)
                assert int(user) == pod.spec["securityContext"]["runAsUser"], pod.name
                exposed = set(" ".join(re.findall(r"^EXPOSE (.+)", built, re.MULTILINE)).split())
                if exposed:
                    assert {str(port["containerPort"]) for port in container["ports"]} == exposed, pod.name


def test_the_server_runs_its_images_command_with_the_clients_keys() -> None:
    (container,) = named(objects("base"), "Deployment", "serve")["spec"]["template"]["spec"]["containers"]
    built = dockerfile(container["image"])
    (command,) = re.findall(r"^CMD (\[.+\])", built, re.MULTILINE)
    assert container["args"] == [*json.loads(command), "--keys", "/run/secrets/keys"]
    (folder,) = re.findall(r"^WORKDIR (\S+)", built.rpartition("FROM")[2], re.MULTILINE)
    (pod,) = (pod for pod in pods(objects("base")) if pod.name == "serve")
    assert pod.can_write(container, folder)


@pytest.mark.parametrize("name", ["serve", "mlflow"])
def test_readiness_probes_equal_the_images_health_checks(name: str) -> None:
    (container,) = named(objects("base"), "Deployment", name)["spec"]["template"]["spec"]["containers"]
    (probe,) = re.findall(r"^HEALTHCHECK .*CMD (\[.+\])", dockerfile(container["image"]), re.MULTILINE)
    assert container["readinessProbe"]["exec"]["command"] == json.loads(probe)
