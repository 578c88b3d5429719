"""The Kubernetes network policies allow only the necessary traffic, and only the Ingress is reachable from outside."""

from collections.abc import Iterable
from typing import Any

import pytest
from kustomize import Object
from manifests import CLUSTERS, Pod, cluster, named, of_kind, pods

OTHERS = ("ingress-nginx", "monitoring", "kuberay", "elsewhere")  # namespaces
OUTSIDE = "outside"
PORTS = {8443, 8081, 5000, 5432, 6379, 8265, 10001, 443, 6443, 80}
RAY = ("ray head", "ray workers")
TALK = {  # (from, to): allowed ports
    ("ingress-nginx", "serve"): {8443},
    ("monitoring", "serve"): {8081},
    ("ray head", "mlflow"): {5000},
    ("mlflow", "postgres"): {5432},
    ("train", "ray head"): {8265},
    ("train", "ray workers"): {8265},
    ("retrain", "ray head"): {8265},
    ("retrain", "ray workers"): {8265},
    ("kuberay", "ray head"): {8265},
    ("kuberay", "ray workers"): {8265},
    **{(one, other): PORTS for one in RAY for other in RAY},
    ("serve", OUTSIDE): {443},
    ("mlflow", OUTSIDE): {443},
    ("ray head", OUTSIDE): {443, 6443},
    ("ray workers", OUTSIDE): {443, 6443},
}
on_each_cluster = pytest.mark.parametrize("name", CLUSTERS)


def is_peer(peer: Object, end: Pod | str) -> bool:
    """Return whether a policy's peer matches an end: one of our pods, another namespace, or the outside."""
    if "ipBlock" in peer:
        return end == OUTSIDE and peer["ipBlock"] == {"cidr": "0.0.0.0/0"}
    if isinstance(end, Pod):
        return "namespaceSelector" not in peer and peer["podSelector"]["matchLabels"].items() <= end.labels.items()
    return (
        peer.get("namespaceSelector", {}).get("matchLabels") == {"kubernetes.io/metadata.name": end} and "podSelector" not in peer
    )


def passes(policies: Iterable[Object], pod: Pod, direction: str, end: Pod | str, port: int) -> bool:
    """Return whether the policies allow traffic from a pod to another end (egress), or from that end to it (ingress)."""
    own = [
        policy["spec"]
        for policy in policies
        if policy["spec"]["podSelector"].get("matchLabels", {}).items() <= pod.labels.items()
    ]
    own = [spec for spec in own if direction in spec["policyTypes"]]
    if not own:
        return True
    side = {"Ingress": "from", "Egress": "to"}[direction]
    rules = [rule for spec in own for rule in spec.get(direction.lower(), [])]
    met = [rule for rule in rules if any(is_peer(peer, end) for peer in rule[side])]
    return any({"protocol": "TCP", "port": port} in rule.get("ports", [{"protocol": "TCP", "port": port}]) for rule in met)


@on_each_cluster
def test_only_the_necessary_traffic_is_allowed(name: str) -> None:
    everything = cluster(name)
    policies, inside = of_kind(everything, "NetworkPolicy"), pods(everything)
    talk: dict[tuple[str, str], set[int]] = {}
    ends: list[Any] = [*inside, *OTHERS, OUTSIDE]
    for one in ends:
        for other in ends:
            if isinstance(one, Pod) or isinstance(other, Pod):
                for port in PORTS:
                    sends = not isinstance(one, Pod) or passes(policies, one, "Egress", other, port)
                    receives = not isinstance(other, Pod) or passes(policies, other, "Ingress", one, port)
                    if sends and receives:
                        talk.setdefault((getattr(one, "name", one), getattr(other, "name", other)), set()).add(port)
    assert talk == TALK


@on_each_cluster
def test_all_pods_can_use_dns(name: str) -> None:
    default = named(cluster(name), "NetworkPolicy", "default")["spec"]
    assert (default["podSelector"], default["policyTypes"]) == ({}, ["Ingress", "Egress"])
    (rule,) = default["egress"]
    assert rule["to"][0]["podSelector"]["matchLabels"] == {"k8s-app": "kube-dns"}
    assert {(port["protocol"], port["port"]) for port in rule["ports"]} == {("UDP", 53), ("TCP", 53)}


@on_each_cluster
def test_every_port_in_a_policy_is_a_container_port(name: str) -> None:
    everything = cluster(name)
    listening = {port["containerPort"] for pod in pods(everything) for c in pod.containers for port in c.get("ports", [])}
    specs = [policy["spec"] for policy in of_kind(everything, "NetworkPolicy")]
    assert {port["port"] for spec in specs for rule in spec.get("ingress", []) for port in rule.get("ports", [])} <= listening


@on_each_cluster
def test_only_the_ingress_is_reachable_from_outside(name: str) -> None:
    everything = cluster(name)
    assert {made["spec"].get("type", "ClusterIP") for made in of_kind(everything, "Service")} == {"ClusterIP"}
    assert [made for made in of_kind(everything, "Service") if "externalIPs" in made["spec"]] == []
    for pod in pods(everything):
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.spec.keys(), pod.name
        assert [port for c in pod.containers for port in c.get("ports", []) if "hostPort" in port] == []


def test_traffic_is_encrypted_up_to_the_server() -> None:
    everything = cluster("on CPUs")
    (ingress,) = of_kind(everything, "Ingress")
    annotations = ingress["metadata"]["annotations"]
    assert annotations["nginx.ingress.kubernetes.io/backend-protocol"] == "HTTPS"
    assert annotations["nginx.ingress.kubernetes.io/force-ssl-redirect"] == "true"
    (tls,) = ingress["spec"]["tls"]
    assert tls["hosts"] == [rule["host"] for rule in ingress["spec"]["rules"]]
    assert named(everything, "Secret", tls["secretName"])["type"] == "kubernetes.io/tls"
    backends = [path["backend"]["service"] for rule in ingress["spec"]["rules"] for path in rule["http"]["paths"]]
    assert backends == [{"name": "serve", "port": {"name": "https"}}]
    (port,) = named(everything, "Service", "serve")["spec"]["ports"]
    assert port["name"] == "https"


def test_prometheus_annotations_name_the_exporters_port() -> None:
    (pod,) = (pod for pod in pods(cluster("on CPUs")) if pod.name == "serve")
    annotations = pod.template["metadata"]["annotations"]
    ports = {port["name"]: str(port["containerPort"]) for port in pod.containers[-1]["ports"]}
    assert annotations == {"prometheus.io/scrape": "true", "prometheus.io/port": ports["metrics"]}
