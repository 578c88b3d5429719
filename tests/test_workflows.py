"""The workflows of .github/ call targets that exist, on the Pythons that are supported, for images that are there."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z-]+):.* ## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_calls_targets_of_the_makefile(path: Path) -> None:
    steps = [step.get("run", "") for job in read(path)["jobs"].values() for step in job["steps"]]
    called = {target for step in steps for target in re.findall(r"\bmake ([a-z-]+)", step)}
    assert called
    assert called <= TARGETS


def test_all_supported_pythons_are_tested() -> None:
    tested = read(ROOT / ".github/workflows/checks.yml")["jobs"]["test"]["strategy"]["matrix"]["python"]
    found = re.search(r'requires-python = ">=3\.(\d+),<3\.(\d+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert found
    assert tested == [f"3.{minor}" for minor in range(int(found[1]), int(found[2]))]


def test_the_base_of_every_image_is_kept_up_to_date() -> None:
    updates = read(ROOT / ".github/dependabot.yml")["updates"]
    (watched,) = [update["directories"] for update in updates if update["package-ecosystem"] == "docker"]
    assert watched == sorted(f"/{file.parent.relative_to(ROOT)}" for file in (ROOT / "docker").rglob("Dockerfile"))
