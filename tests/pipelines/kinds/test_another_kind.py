"""A new kind of task needs only a folder and an endpoint; no other code has to change."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.settings.params import load_params

ROOT, KIND = Path(__file__).parents[3], Path(__file__).with_name("vowels")
PREFIXES = ("ba", "dea", "fi", "goo", "hu", "stra", "kle", "trio", "plo", "sm")
STAGES = ("download", "prepare", "train", "export", "evaluate", "register", "package", "describe")
RUN = """
import sys, json
from importlib import import_module
from pathlib import Path
import pipelines.kinds, serving.endpoints
pipelines.kinds.__path__.append("package/kinds")
serving.endpoints.__path__.append("package/endpoints")
for stage in sys.argv[1:]:
    import_module(f"pipelines.stages.{stage}").main({"download": "words", "describe": "openapi"}.get(stage, "vowels"))
from pipelines.report.measures import section
from pipelines.report.pages import rows
from serving.predictor import load_predictor
(reply,) = load_predictor(Path("build/bundles/vowels")).answer([{"inputs": "plodea", "parameters": {"digits": 0}}])
from pipelines.lineage.rows import contains, row_digests
from pipelines.settings.params import load_params
digests = row_digests(Path("data/prepared/vowels"), load_params().task("vowels"))
trained = sum(contains(digests, word) for word in Path("words.txt").read_text().splitlines())
print(json.dumps({"reply": reply.body, "rows": list(rows(section("results")))[:1], "trained": trained}))
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one data set and one task, and the package that defines their kind."""
    folder = tmp_path_factory.mktemp("vowels")
    shutil.copytree(KIND / "kind", folder / "package/kinds/vowels")
    shutil.copytree(KIND / "endpoint", folder / "package/endpoints/vowels")
    words = [a + b + c for a in PREFIXES for b in PREFIXES for c in PREFIXES]
    (folder / "words.txt").write_text("\n".join(words), encoding="utf-8")
    (folder / "data").mkdir()
    (folder / "serving").mkdir()
    known = hashlib.sha256((folder / "words.txt").read_bytes()).hexdigest()
    file = {"name": "words.txt", "size": (folder / "words.txt").stat().st_size, "sha256": known}
    entry = {"title": "Words", "licence": "CC0", "citation": "none", "redistributable": True}
    entry |= {"files": [file | {"sources": [{"kind": "local", "path": "words.txt"}]}]}
    entry |= {"rows": [{"format": "lines", "file": "words.txt"}]}
    (folder / "data/catalogue.yaml").write_text(yaml.safe_dump({"words": entry}), encoding="utf-8")
    content = load_params(ROOT / "params.yaml").model_dump(by_alias=True)
    like = content["tasks"]["surname"]
    task: dict[str, Any] = {"kind": "vowels", "units": "characters", "data": {"set": "words", "vectors": "none"}}
    task |= {"prepare": {"limit_per_label": 0, "valid_size": 100, "test_size": 60, "train_rows": 0}}
    task |= {"model": {"embedding_size": 4}, "export": {"max_length": 40}, "evaluate": {"batch_size": 8}}
    task |= {"serve": like["serve"], "examples": ["plodea", "strahu"]}
    task["train"] = {key: value for key, value in like["train"].items() if key != "class_weighting"}
    task["train"] |= {"learning_rate": 0.03, "batch_units": 300}
    empty = {"datasets": ["words"], "tasks": {"vowels": task}, "corpora": {}, "methods": {}, "vectors": {}}
    (folder / "params.yaml").write_text(yaml.safe_dump(content | empty), encoding="utf-8")
    return folder


@pytest.mark.slow
def test_a_custom_kind_runs_through_all_stages(repository: Path) -> None:
    command = [sys.executable, "-c", RUN, *STAGES]
    done = subprocess.run(
        command,
        cwd=repository,
        env={"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    said = json.loads(done.stdout.splitlines()[-1])
    metrics = json.loads((repository / "metrics/vowels.json").read_text(encoding="utf-8"))
    assert metrics["error"] < metrics["baseline_error"] / 2
    assert said["reply"] == {"vowels": 3.0}
    assert said["rows"][0][:2] == ["vowels", "mean error"]
    assert said["trained"] == len(PREFIXES) ** 3 - 100 - 60
    document = json.loads((repository / "serving/openapi.json").read_text(encoding="utf-8"))
    operation = document["paths"]["/predictions/vowels"]["post"]
    assert operation["requestBody"]["content"]["application/json"]["examples"]["example1"]["value"]["parameters"] == {"digits": 1}
    assert (repository / "build/model-store/vowels.mar").exists()
