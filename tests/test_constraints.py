"""The pins are complete and valid for every supported Python and machine."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from itertools import product
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
MAIN = {name for name in EXTRAS if name != "open-inference"}
FILES = [("constraints.txt", MAIN), ("constraints-open-inference.txt", {"open-inference"})]
# The first and a late release of each, as markers may distinguish them.
PYTHONS = ("3.11.0", "3.11.14", "3.12.0", "3.12.12", "3.13.0", "3.13.9")
MACHINES = ("x86_64", "aarch64")
HERE = {name: str(value) for name, value in default_environment().items()}


def environment(python: str, machine: str) -> dict[str, str]:
    """The environment for evaluating markers."""
    return HERE | {"python_full_version": python, "python_version": python.rpartition(".")[0], "platform_machine": machine}


def pins(file: str, where: dict[str, str]) -> dict[str, str]:
    """The pinned version of each package in an environment; no package may have two."""
    wanted = [Requirement(line) for line in (ROOT / file).read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    found = [(canonicalize_name(one.name), one.specifier) for one in wanted if one.marker is None or one.marker.evaluate(where)]
    assert all(re.fullmatch(r"==[^*,]+", str(specifier)) for _, specifier in found)
    assert len({name for name, _ in found}) == len(found)
    return {name: str(specifier).removeprefix("==") for name, specifier in found}


def brought_by_torch(name: str) -> bool:
    """Whether it is a dependency of torch's GPU builds; each build needs others, so none of them is pinned."""
    return re.match(r"(cuda|nvidia)-|triton$", name) is not None


def required(extras: set[str]) -> set[str]:
    """The project's dependencies on this machine, including transitive ones, according to the installed packages."""
    found: set[tuple[str, str]] = set()
    ahead = {(PROJECT["name"], extra) for extra in {"", *extras}}
    while ahead - found:
        name, extra = (ahead - found).pop()
        found.add((name, extra))
        try:
            lines = [Requirement(line) for line in requires(name) or []]
        except PackageNotFoundError:
            continue
        needed = [one for one in lines if one.marker is None or one.marker.evaluate({"extra": extra})]
        ahead |= {(canonicalize_name(one.name), extra) for one in needed for extra in {"", *one.extras}}
    return {name for name, _ in found} - {PROJECT["name"]}


@pytest.mark.parametrize(("python", "machine"), list(product(PYTHONS, MACHINES)))
@pytest.mark.parametrize(("file", "extras"), FILES)
def test_each_dependency_has_exactly_one_allowed_pin(file: str, extras: set[str], python: str, machine: str) -> None:
    pinned = pins(file, environment(python, machine))
    lines = [*PROJECT["dependencies"], *(line for extra in extras for line in EXTRAS[extra])]
    declared = [one for one in map(Requirement, lines) if one.name != PROJECT["name"]]
    assert [one for one in declared if pinned.get(canonicalize_name(one.name), "none") not in one.specifier] == []


def test_transitive_dependencies_are_pinned() -> None:
    needed = {name for name in required(MAIN) if not brought_by_torch(name)}
    assert len(needed) > len(PROJECT["dependencies"])
    assert needed - set(pins("constraints.txt", HERE)) == set()


@pytest.mark.parametrize("file", [file for file, _ in FILES])
def test_libraries_of_torchs_gpu_builds_are_not_pinned(file: str) -> None:
    assert [name for name in pins(file, HERE) if brought_by_torch(name)] == []
