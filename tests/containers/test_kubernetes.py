"""The Kubernetes manifests are valid and consistent. They have never been applied to a cluster."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import jsonschema
import kubernetes_validate
import pytest
import yaml
from kustomize import Object
from manifests import (
    CLUSTERS,
    KUBERNETES,
    MADE_BY_THE_USER,
    OVERLAYS,
    ROOT,
    cluster,
    copied,
    environment,
    files,
    named,
    objects,
    of_kind,
    pods,
    quantity,
    text,
)

from pipelines.settings.params import load_params
from serving.server.proxy import Limits

VERSIONS = ("1.30", kubernetes_validate.latest_version())
KUBERAY = json.loads((Path(__file__).parent / "kuberay.json").read_text(encoding="utf-8"))
KUBECTL = shutil.which("kubectl")
on_each_cluster = pytest.mark.parametrize("name", CLUSTERS)


def kubectl(folder: Path) -> subprocess.CompletedProcess[str]:
    assert KUBECTL
    return subprocess.run([KUBECTL, "kustomize", str(folder)], capture_output=True, text=True, check=False)


@pytest.mark.skipif(not KUBECTL, reason="kubectl is not installed")
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kubectl_builds_the_same_objects(overlay: str, tmp_path: Path) -> None:
    def sorted_by_name(made: list[Object]) -> list[Object]:
        return sorted(made, key=lambda each: (each["kind"], each["metadata"]["name"]))

    done = kubectl(copied(tmp_path) / overlay)
    assert done.returncode == 0, done.stderr
    assert sorted_by_name(list(yaml.safe_load_all(done.stdout))) == sorted_by_name(objects(overlay))


@pytest.mark.skipif(not KUBECTL, reason="kubectl is not installed")
@pytest.mark.parametrize("missing", MADE_BY_THE_USER)
def test_kubectl_names_a_missing_file(missing: str, tmp_path: Path) -> None:
    folder = copied(tmp_path)
    (folder / "base" / "secrets" / missing).unlink()
    done = kubectl(folder / "base")
    assert done.returncode
    assert f"secrets/{missing}" in done.stderr


def test_files_created_by_the_user_are_documented_and_ignored_by_git() -> None:
    settings = yaml.safe_load((KUBERNETES / "base" / "kustomization.yaml").read_text(encoding="utf-8"))
    made = {
        Path(entry.rpartition("=")[2]) for each in settings["secretGenerator"] for entry in each.get("files", each.get("envs"))
    }
    assert {path.name for path in made} == set(MADE_BY_THE_USER)
    page = (KUBERNETES / "README.md").read_text(encoding="utf-8")
    assert [path for path in made if f" {path}" not in page] == []
    command = ["git", "check-ignore", *(str(KUBERNETES / "base" / path) for path in made)]
    assert len(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()) == len(made)


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_knows_every_field(overlay: str, version: str) -> None:
    for made in objects(overlay):
        if made["apiVersion"] != "ray.io/v1":
            kubernetes_validate.validate(made, version, strict=True)
    for pod in pods(objects(overlay)):
        template = {"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "checked"}, "template": pod.template}
        kubernetes_validate.validate(template, version, strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kuberay_knows_every_field(overlay: str) -> None:
    for made in objects(overlay):
        if made["apiVersion"] == "ray.io/v1":
            jsonschema.validate(made, {"$ref": f"#/$defs/{made['kind']}", **KUBERAY})


@on_each_cluster
def test_containers_have_minimal_privileges(name: str) -> None:
    for pod in pods(cluster(name)):
        whole = pod.spec["securityContext"]
        assert whole["runAsNonRoot"], pod.name
        assert whole["runAsUser"] == (999 if pod.name == "postgres" else 1000), pod.name
        assert whole["seccompProfile"] == {"type": "RuntimeDefault"}, pod.name
        for container in pod.containers:
            expected = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
            assert container["securityContext"] == expected, (pod.name, container["name"])
            assert pod.can_write(container, "/tmp"), (pod.name, container["name"])  # noqa: S108 - the containers' own


@on_each_cluster
def test_only_the_autoscalers_pod_has_a_kubernetes_api_token(name: str) -> None:
    assert [pod.name for pod in pods(cluster(name)) if pod.spec.get("automountServiceAccountToken", True)] == ["ray head"]


def test_the_namespace_enforces_restricted_pods() -> None:
    assert (
        named(objects("base"), "Namespace", "seqline")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    )


@on_each_cluster
def test_every_container_and_volume_has_limits(name: str) -> None:
    for pod in pods(cluster(name)):
        for container in pod.containers:
            requests, limits = container["resources"]["requests"], container["resources"]["limits"]
            assert {"cpu", "memory"} <= requests.keys() == limits.keys(), (pod.name, container["name"])
            assert all(quantity(requests[kind]) <= quantity(limits[kind]) for kind in requests), (pod.name, container["name"])
        assert [
            v["name"] for v in pod.spec.get("volumes", []) if v.get("emptyDir", {"sizeLimit": 1}).get("sizeLimit") is None
        ] == []


def test_a_server_requests_more_memory_than_measured() -> None:
    measured = json.loads((ROOT / "benchmarks" / "results" / "serving.json").read_text(encoding="utf-8"))["figures"][
        "server_rss_mb"
    ]
    (container,) = named(objects("base"), "Deployment", "serve")["spec"]["template"]["spec"]["containers"]
    assert quantity(container["resources"]["requests"]["memory"]) > measured * 2**20


@on_each_cluster
def test_each_ray_core_has_more_memory_than_measured_for_a_training(name: str) -> None:
    figures = json.loads((ROOT / "benchmarks" / "results" / "pipeline.json").read_text(encoding="utf-8"))["figures"]
    largest = max(value for key, value in figures.items() if key.startswith("train@") and key.endswith("_peak_mib"))
    (worker,) = (container for pod in pods(cluster(name)) for container in pod.containers if container["name"] == "ray-worker")
    limits = worker["resources"]["limits"]
    assert quantity(limits["memory"]) > quantity(limits["cpu"]) * largest * 2**20


@on_each_cluster
def test_everything_is_labelled(name: str) -> None:
    everything = cluster(name)
    assert [
        made["metadata"]["name"] for made in everything if made["metadata"]["labels"]["app.kubernetes.io/part-of"] != "seqline"
    ] == []
    assert [
        pod.name for pod in pods(everything) if not {"app.kubernetes.io/name", "app.kubernetes.io/part-of"} <= pod.labels.keys()
    ] == []


@on_each_cluster
def test_every_volume_exists_and_is_mounted(name: str) -> None:
    everything = cluster(name)
    for pod in pods(everything):
        mounted = {mount["name"] for container in pod.containers for mount in container.get("volumeMounts", [])}
        assert mounted == {volume["name"] for volume in pod.spec.get("volumes", [])} | set(pod.claims), pod.name
        for volume in pod.spec.get("volumes", []):
            if "persistentVolumeClaim" in volume:
                named(everything, "PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"])
            elif "emptyDir" not in volume:
                assert files(everything, volume), (pod.name, volume)


@on_each_cluster
def test_every_file_and_variable_used_by_a_container_exists(name: str) -> None:
    everything = cluster(name)
    seen = 0
    for pod in pods(everything):
        for container in pod.containers:
            told = text(everything, container)
            for path in re.findall(r"(?:/run/secrets|/etc/seqline)/[\w/.-]+", told):
                found = pod.volume(container, path)
                assert found, (container["name"], path)
                assert found[1] in files(everything, found[0]), (container["name"], path)
                if path.endswith(".sh"):
                    told += files(everything, found[0])[found[1]]
                seen += 1
            used = set(re.findall(r"\$\(?\"?([A-Z][A-Z0-9_]+)", told))
            assert used <= environment(everything, container).keys(), container["name"]
    assert seen >= 5


@on_each_cluster
def test_only_containers_that_use_the_bucket_have_its_key(name: str) -> None:
    everything = cluster(name)
    with_key = {
        c["name"] for pod in pods(everything) for c in pod.containers if "AWS_SECRET_ACCESS_KEY" in environment(everything, c)
    }
    assert with_key == {"fetch", "mlflow", "ray-head", "ray-worker"}


def test_servers_fetch_the_packaged_models() -> None:
    (fetch,) = named(objects("base"), "Deployment", "serve")["spec"]["template"]["spec"]["initContainers"]
    (stage,) = re.findall(r"dvc pull (\S+)", text([], fetch))
    outs = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"][stage]["do"]["outs"]
    (pattern,) = re.findall(r"cp (\S+) /store", text([], fetch))
    assert {str(Path(out).parent / "*") for out in outs} == {pattern}


@on_each_cluster
def test_services_disruption_budget_and_autoscaler_select_existing_pods(name: str) -> None:
    everything = cluster(name)
    by_labels = {tuple(sorted(pod.labels.items())): pod for pod in pods(everything)}
    for made in of_kind(everything, "Service"):
        (pod,) = (pod for labels, pod in by_labels.items() if made["spec"]["selector"].items() <= set(labels))
        ports = {port["name"] for container in pod.containers for port in container.get("ports", [])}
        assert {port["targetPort"] for port in made["spec"]["ports"]} <= ports, made["metadata"]["name"]
    for made in of_kind(everything, "Deployment") + of_kind(everything, "StatefulSet"):
        assert made["spec"]["selector"]["matchLabels"].items() <= made["spec"]["template"]["metadata"]["labels"].items()
    (budget,), (scaler,) = of_kind(everything, "PodDisruptionBudget"), of_kind(everything, "HorizontalPodAutoscaler")
    target = scaler["spec"]["scaleTargetRef"]
    scaled = named(everything, target["kind"], target["name"])
    assert budget["spec"]["selector"] == scaled["spec"]["selector"]
    assert budget["spec"]["maxUnavailable"] < scaler["spec"]["minReplicas"] <= scaler["spec"]["maxReplicas"]
    assert "replicas" not in scaled["spec"]  # otherwise each `kubectl apply` would override the autoscaler


def test_a_server_is_replaced_without_losing_a_request() -> None:
    spec = named(objects("base"), "Deployment", "serve")["spec"]
    assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    _, forget = container["lifecycle"]["preStop"]["exec"]["command"]
    assert pod["terminationGracePeriodSeconds"] > Limits.drain_s + int(forget)
    probes = [container[probe]["exec"]["command"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")]
    assert probes == [["seqline", "status"]] * 3


def test_the_ingress_allows_the_servers_body_size_and_deadlines() -> None:
    annotations = named(objects("base"), "Ingress", "serve")["metadata"]["annotations"]
    params = load_params(ROOT / "params.yaml")
    served = [*(task.serve for task in params.tasks.values()), *(block.serve for block in params.vectors.values())]
    assert annotations["nginx.ingress.kubernetes.io/proxy-body-size"] == Limits.body
    assert int(annotations["nginx.ingress.kubernetes.io/proxy-read-timeout"]) > max(one.deadline_s for one in served)


@on_each_cluster
def test_ray_has_the_pinned_version_and_the_training_selects_it(name: str) -> None:
    everything = cluster(name)
    (ray,), (job,) = of_kind(everything, "RayCluster"), of_kind(everything, "RayJob")
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert f"ray=={ray['spec']['rayVersion']}" in pins
    assert job["spec"]["clusterSelector"] == {"ray.io/cluster": ray["metadata"]["name"]}
    assert all(group["minReplicas"] <= group["replicas"] <= group["maxReplicas"] for group in ray["spec"]["workerGroupSpecs"])


def test_only_ray_workers_have_gpus() -> None:
    with_gpu = [
        pod.name for pod in pods(cluster("on GPUs")) if any("nvidia.com/gpu" in c["resources"]["limits"] for c in pod.containers)
    ]
    assert with_gpu == ["ray workers"]
    changed = [one for one, other in zip(objects("base"), objects("gpu"), strict=True) if one != other]
    assert [made["kind"] for made in changed] == ["RayCluster"]
