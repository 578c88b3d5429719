"""A minimal `kubectl kustomize`, for the fields that docker/kubernetes uses; other fields are an error.

If kubectl is installed, a test compares the two.
"""

import base64
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

Object = dict[str, Any]
FIELDS = {
    "apiVersion",
    "kind",
    "namespace",
    "labels",
    "resources",
    "components",
    "generatorOptions",
    "configMapGenerator",
    "secretGenerator",
    "patches",
    "images",
}


def build(folder: Path) -> list[Object]:
    """Return the objects of a kustomization.

    Raises:
        OSError: a file is missing.
        NotImplementedError: a kustomization has an unknown field.
    """
    return _apply(folder, [])


def _apply(folder: Path, objects: list[Object]) -> list[Object]:
    """Add the objects of a kustomization or component to `objects`, then apply its changes to all of them."""
    settings = yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))
    if unknown := settings.keys() - FIELDS:
        raise NotImplementedError(f"{folder}: {sorted(unknown)}")
    objects = _gathered(folder, settings, objects)
    for patch in settings.get("patches", []):
        _patch(objects, patch)
    for made in objects:
        _namespace(made, settings)
        for label in settings.get("labels", []):
            (pairs,) = label.values()  # only into the object's labels, not into selectors and templates
            made["metadata"].setdefault("labels", {}).update(pairs)
        for image in settings.get("images", []):
            _rename(made, image)
    return objects


def _gathered(folder: Path, settings: Object, objects: list[Object]) -> list[Object]:
    for name in settings.get("resources", []):
        path = folder / name
        objects = objects + (build(path) if path.is_dir() else documents(path))
    for name in settings.get("components", []):
        objects = _apply(folder / name, objects)
    if "configMapGenerator" in settings or "secretGenerator" in settings:
        assert settings["generatorOptions"] == {"disableNameSuffixHash": True}
    made = [_config_map(folder, entry) for entry in settings.get("configMapGenerator", [])]
    return objects + made + [_secret(folder, entry) for entry in settings.get("secretGenerator", [])]


def documents(path: Path) -> list[Object]:
    """Return the objects in a file."""
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


def _namespace(made: Object, settings: Object) -> None:
    if "namespace" in settings and made["kind"] != "Namespace":
        made["metadata"]["namespace"] = settings["namespace"]


def _data(folder: Path, made: Object) -> dict[str, str]:
    assert made.keys() <= {"name", "type", "files", "envs"}, made
    data = {}
    for entry in made.get("files", []):
        key, _, name = entry.rpartition("=")
        data[key or Path(name).name] = (folder / name).read_text(encoding="utf-8")
    for name in made.get("envs", []):
        lines = (line for line in (folder / name).read_text(encoding="utf-8").splitlines() if line and not line.startswith("#"))
        data.update(line.split("=", 1) for line in lines)
    return data


def _config_map(folder: Path, made: Object) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": made["name"]}, "data": _data(folder, made)}


def _secret(folder: Path, made: Object) -> Object:
    data = {key: base64.b64encode(value.encode()).decode() for key, value in _data(folder, made).items()}
    kind = made.get("type", "Opaque")
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": made["name"]}, "type": kind, "data": data}


def _patch(objects: Iterable[Object], patch: Object) -> None:
    """Apply a JSON patch (RFC 6902) that adds or replaces keys of an object."""
    kind, name = patch["target"].pop("kind"), patch["target"].pop("name")
    assert not patch["target"]
    (made,) = (made for made in objects if (made["kind"], made["metadata"]["name"]) == (kind, name))
    for change in yaml.safe_load(patch["patch"]):
        *way, last = change["path"].strip("/").split("/")
        place: Any = made
        for step in way:
            place = place[int(step) if isinstance(place, list) else step]
        assert isinstance(place, dict)
        assert (last in place) == {"add": False, "replace": True}[change["op"]], change["path"]
        place[last] = change["value"]


def _rename(part: object, image: Object) -> None:
    """Change the images of all containers in a part of an object."""
    for key, value in part.items() if isinstance(part, dict) else []:
        for container in value if key in ("containers", "initContainers") else []:
            name, _, _ = container["image"].partition(":")
            if name == image["name"]:
                container["image"] = f"{image.get('newName', name)}:{image['newTag']}"
    for value in part.values() if isinstance(part, dict) else part if isinstance(part, list) else []:
        _rename(value, image)
