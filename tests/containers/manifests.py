"""Access to the objects in docker/kubernetes and their pods, with stand-ins for the files that the user creates."""

import base64
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from kustomize import Object, build

ROOT = Path(__file__).parents[2]
KUBERNETES = ROOT / "docker" / "kubernetes"
OVERLAYS = ("base", "gpu", "train", "retrain")
CLUSTERS = {"on CPUs": ("base", "train", "retrain"), "on GPUs": ("gpu", "train", "retrain")}
MADE_BY_THE_USER = {
    "storage.env": "AWS_ACCESS_KEY_ID=id\nAWS_SECRET_ACCESS_KEY=key\nAWS_ENDPOINT_URL=https://s3.example.org\n",
    "database": "password",
    "keys": "a" * 32,
    "tls.crt": "certificate",
    "tls.key": "key",
}


def copied(folder: Path) -> Path:
    """Return a copy of the manifests, with the user's files."""
    shutil.copytree(KUBERNETES, folder / "kubernetes", ignore=lambda path, names: names if Path(path).name == "secrets" else [])
    for name, content in MADE_BY_THE_USER.items():
        (folder / "kubernetes" / "base" / "secrets" / name).write_text(content, encoding="utf-8")
    return folder / "kubernetes"


@cache
def objects(overlay: str) -> list[Object]:
    """Return the objects of one of OVERLAYS."""
    with TemporaryDirectory() as folder:
        return build(copied(Path(folder)) / overlay)


def cluster(name: str) -> list[Object]:
    """Return all objects of one of CLUSTERS."""
    return [made for overlay in CLUSTERS[name] for made in objects(overlay)]


def named(everything: list[Object], kind: str, name: str) -> Object:
    """Return the only object of this kind and name."""
    (made,) = (made for made in everything if (made["kind"], made["metadata"]["name"]) == (kind, name))
    return made


def of_kind(everything: list[Object], kind: str) -> list[Object]:
    """Return all objects of a kind."""
    return [made for made in everything if made["kind"] == kind]


@dataclass(frozen=True)
class Pod:
    """A pod template.

    Attributes:
        name: name of the object that creates the pods.
        template: the Kubernetes pod template.
        claims: names of the volume claim templates.
    """

    name: str
    template: Object
    claims: tuple[str, ...] = ()

    @property
    def spec(self) -> Object:
        """The pod spec."""
        return dict(self.template["spec"])

    @property
    def labels(self) -> dict[str, str]:
        """The pods' labels."""
        return dict(self.template["metadata"]["labels"])

    @property
    def containers(self) -> list[Object]:
        """All containers, including init containers."""
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]

    def volume(self, container: Object, path: str) -> tuple[Object, str] | None:
        """Return the volume mounted at a path of a container, and the path within it; None if there is none."""
        mounts = [mount for mount in container.get("volumeMounts", []) if f"{path}/".startswith(f"{mount['mountPath']}/")]
        for mount in sorted(mounts, key=lambda mount: -len(mount["mountPath"])):
            volume = {"mount": mount, **next((v for v in self.spec.get("volumes", []) if v["name"] == mount["name"]), {})}
            return volume, path[len(mount["mountPath"]) + 1 :]
        return None

    def can_write(self, container: Object, path: str) -> bool:
        """Return whether a path of a container is on a writable volume."""
        found = self.volume(container, path)
        if found is None or found[0]["mount"].get("readOnly"):
            return False
        return found[0]["mount"]["name"] in self.claims or bool({"emptyDir", "persistentVolumeClaim"} & found[0].keys())


def pods(everything: list[Object]) -> list[Pod]:
    """Return all pod templates."""
    return list(_pods(everything))


def _pods(everything: list[Object]) -> Iterator[Pod]:
    for made in everything:
        name, spec = made["metadata"]["name"], made.get("spec", {})
        if made["kind"] in ("Deployment", "StatefulSet"):
            yield Pod(name, spec["template"], tuple(claim["metadata"]["name"] for claim in spec.get("volumeClaimTemplates", [])))
        elif made["kind"] == "RayCluster":
            yield Pod(f"{name} head", _with_autoscaler(spec))
            yield from (Pod(f"{name} {group['groupName']}", group["template"]) for group in spec["workerGroupSpecs"])
        elif made["kind"] == "CronJob":
            yield Pod(name, spec["jobTemplate"]["spec"]["template"])
        elif made["kind"] == "RayJob":
            yield Pod(name, spec["submitterPodTemplate"])


def _with_autoscaler(spec: Object) -> Object:
    """Return the head's template with the autoscaler container that KubeRay adds."""
    template = spec["headGroupSpec"]["template"]
    options = {key: spec["autoscalerOptions"][key] for key in ("resources", "securityContext", "volumeMounts", "imagePullPolicy")}
    autoscaler = {"name": "autoscaler", "image": template["spec"]["containers"][0]["image"], **options}
    return {**template, "spec": {**template["spec"], "containers": [*template["spec"]["containers"], autoscaler]}}


def environment(everything: list[Object], container: Object) -> dict[str, str]:
    """Return the environment variables of a container."""
    variables = {}
    for source in container.get("envFrom", []):
        ((kind, reference),) = source.items()
        variables.update(_content(everything, {"configMapRef": "ConfigMap", "secretRef": "Secret"}[kind], reference["name"]))
    for variable in container.get("env", []):
        reference = variable.get("valueFrom", {}).get("configMapKeyRef")
        value = _content(everything, "ConfigMap", reference["name"])[reference["key"]] if reference else variable["value"]
        variables[variable["name"]] = value
    return variables


def files(everything: list[Object], volume: Object) -> dict[str, str]:
    """Return the files of a Secret or ConfigMap volume."""
    if "secret" in volume:
        return _content(everything, "Secret", volume["secret"]["secretName"])
    return _content(everything, "ConfigMap", volume["configMap"]["name"])


def _content(everything: list[Object], kind: str, name: str) -> dict[str, str]:
    data: dict[str, str] = named(everything, kind, name)["data"]
    return {key: base64.b64decode(value).decode() for key, value in data.items()} if kind == "Secret" else data


def text(everything: list[Object], container: Object) -> str:
    """Return a container's command, arguments and variables, and for Ray's head also what others let it run."""
    command: list[Any] = [*container.get("command", []), *container.get("args", [])]
    parts = command[: command.index("--")] if "--" in command else command  # the rest is run by Ray's head
    parts += [variable.get("value", "") for variable in container.get("env", [])]
    parts += [made["spec"]["entrypoint"] for made in of_kind(everything, "RayJob") if container["name"] == "ray-head"]
    parts += [word for pod in _cron_jobs(everything) for word in pod["args"] if container["name"] == "ray-head"]
    return "\n".join(parts)


def _cron_jobs(everything: list[Object]) -> list[Object]:
    """Return the containers of all CronJobs."""
    specs = [made["spec"]["jobTemplate"]["spec"]["template"]["spec"] for made in of_kind(everything, "CronJob")]
    return [container for spec in specs for container in spec["containers"]]


def quantity(amount: str | int) -> float:
    """Convert a Kubernetes quantity to cores or bytes."""
    number, unit = re.fullmatch(r"([0-9.]+)([a-zA-Z]*)", str(amount)).groups()  # type: ignore[union-attr]
    return float(number) * {"": 1, "m": 1e-3, "Mi": 2**20, "Gi": 2**30}[unit]
