"""A lineage leads from an answer to the data and back, and says what is missing."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient
from small_registry import ANSWERED, ARCHIVES, LOST, PREPARED, RAW, SHADOWED, World, git, logged
from typer.testing import CliRunner

from benchmarks.complete import PARTS, lineage_complete
from pipelines.lineage.answers import Answers
from pipelines.lineage.graph import Graph, Node
from pipelines.lineage.history import History
from pipelines.lineage.nodes import Sources
from pipelines.lineage.picture import draw
from pipelines.lineage.trace import trace, trace_row
from pipelines.lineage.walk import NEWEST
from pipelines.stage import StageError
from pipelines.tracking.runs import DEFAULT_URI
from pipelines.verbs import app

FIRST, SECOND = ARCHIVES["surname"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("world"))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        yield World()


@pytest.fixture(scope="module")
def sources(world: World) -> Sources:  # noqa: ARG001 - it is what they know
    return Sources.here(Path(".serving"))


def ids(graph: Graph, kind: str) -> set[str]:
    return {node.id.removeprefix(f"{kind}:") for node in graph.nodes if node.kind == kind}


def one(graph: Graph, kind: str) -> Node:
    (found,) = (node for node in graph.nodes if node.kind == kind)
    return found


def seqline(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["lineage", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_an_answer_leads_to_everything_that_it_was_made_from(world: World, sources: Sources) -> None:
    graph = trace(sources, ANSWERED)
    assert lineage_complete(graph) == dict.fromkeys(PARTS, True)
    answer = graph.node(graph.root)
    assert answer.facts["said"] == ["Italian", "Irish"]
    assert answer.facts["feedback"] == "1 of 2 right"
    (model,) = graph.causes(answer)
    assert (model.id, model.facts["archive"], model.facts["aliases"]) == ("model:surname@1", FIRST, ["champion"])
    (registering,) = graph.causes(model)
    assert registering.id == f"run:{world.runs['first register@surname']}"
    stages = [node.id.removeprefix("run:") for node in graph.causes(registering) if node.kind == "run"]
    assert stages == [world.runs[f"first {name}@surname"] for name in ("train", "export", "evaluate")]
    assert ids(graph, "commit") == {world.commits["lock of the first build"]}
    data = one(graph, "data")
    assert data.id == f"data:surname@{PREPARED['surname']}"
    (raw,) = graph.causes(data)
    assert (raw.title, raw.facts["licence"], raw.facts["sha256"]) == ("people", "CC0", RAW["people"])


def test_dvc_lock_is_found_where_it_is_and_where_the_model_was_recorded(world: World, sources: Sources) -> None:
    first, second, third = (one(trace(sources, name), "dvc.lock").facts for name in ("surname@1", "surname@2", "names@1"))
    start, later = (world.commits[name][:8] for name in ("lock of the first build", "lock with version 1"))
    assert first == {"found": f"commit {start}", "model recorded": f"commit {later}"}
    assert second == {"found": f"commit {later}"}
    assert third == {"found": "nowhere: DVC has changed it since"}
    lock = Path("dvc.lock").read_text(encoding="utf-8")
    try:
        Path("dvc.lock").write_text("changed", encoding="utf-8")
        run_id = world.stage("third", "export", "names", **world.origin())
        assert one(trace(sources, run_id), "dvc.lock").facts == {"found": "the working tree"}
    finally:
        Path("dvc.lock").write_text(lock, encoding="utf-8")


def test_a_stage_that_was_not_repeated_is_taken_from_an_earlier_build(world: World, sources: Sources) -> None:
    graph = trace(sources, "surname@2")
    assert world.runs["first train@surname"] in ids(graph, "run")
    assert graph.node(f"run:{world.runs['first train@surname']}").facts["build"] == "an earlier one"
    assert not {world.runs["trial train@surname"], world.runs["second train@surname"]} & ids(graph, "run")
    assert "build" not in graph.node(f"run:{world.runs['second export@surname']}").facts


def test_a_shadow_that_got_the_same_input_is_in_the_lineage(sources: Sources) -> None:
    graph = trace(sources, SHADOWED)
    assert [node.id for node in graph.causes(graph.nodes[0])] == ["model:surname@1", "model:surname@2"]
    assert graph.nodes[0].facts == {"time": "2026-09-21 14:13:21+00:00", "version": FIRST, "said": ["German"]}


@pytest.mark.parametrize(
    "name", ["surname@1", "surname@champion", f"surname@{FIRST}", "SURNAME", "RUN", "RUN16", "ANSWER", "ANSWER16"]
)
def test_every_name_leads_to_the_same_model(name: str, world: World, sources: Sources) -> None:
    run = world.runs["first register@surname"]
    named = {"RUN": run, "RUN16": run[:16], "ANSWER": ANSWERED.upper(), "ANSWER16": ANSWERED[:16]}
    graph = trace(sources, named[name]) if name in named else trace(sources, FIRST, "surname") if name == "SURNAME" else None
    assert "surname@1" in ids(graph or trace(sources, name), "model")


def test_a_model_leads_to_its_latest_answers(sources: Sources) -> None:
    graph = trace(sources, "surname@champion")
    assert graph.nodes[0].facts == {
        "archive": FIRST, "aliases": ["champion"], "answers": 6, "feedback": "1 of 2 right",
    }  # fmt: skip
    assert [node.id for node in graph.effects(graph.nodes[0])] == [f"answer:{i:032x}" for i in (2, 1, 0)]
    assert ids(trace(sources, SECOND), "answer") == {SHADOWED}


def test_a_training_run_leads_to_all_models_made_from_it(world: World, sources: Sources) -> None:
    graph = trace(sources, world.runs["first train@surname"])
    assert ids(graph, "model") == {"surname@1", "surname@2"}
    assert one(graph, "commit").facts["subject"] == "lock of the first build"
    assert ids(trace(sources, world.runs["trial train@surname"]), "model") == set()
    assert ids(trace(sources, world.runs["first register@surname"]), "model") == {"surname@1"}


def test_a_build_leads_to_its_stages_and_models(world: World, sources: Sources) -> None:
    graph = trace(sources, world.runs["second"])
    assert ids(graph, "run") == {run for name, run in world.runs.items() if name.startswith("second ")}
    assert ids(graph, "model") == {"surname@2"}


def test_a_data_set_that_has_changed_keeps_the_files_that_a_model_was_made_from(world: World, sources: Sources) -> None:
    run = world.stage("third", "prepare", "names", dataset_sha256=f"{RAW['people'][0]} {'e' * 64}")
    then, now = one(trace(sources, run), "set"), one(trace(sources, world.runs["third train@names"]), "set")
    assert (then.facts["sha256"], then.facts["catalogue"]) == ([RAW["people"][0], "e" * 64], "has other files now")
    assert (now.facts["sha256"], "catalogue" in now.facts) == (RAW["people"], False)
    assert then.id != now.id


def test_a_data_set_leads_only_to_what_read_it_under_its_name(sources: Sources) -> None:
    assert set(RAW["people"]) & set(RAW["places"])
    assert ids(trace(sources, "people"), "model") == {"surname@1", "surname@2", "names@1"}
    assert ids(trace(sources, "places"), "model") == set()


def test_a_task_and_its_data_set_may_have_the_same_name(world: World, sources: Sources) -> None:
    """As those that `seqline new` makes."""
    run = world.stage("third", "train", "people")
    MlflowClient(DEFAULT_URI).log_inputs(run, [logged("data/prepared/people", "ab" * 16), logged("people", "cd" * 16)])
    graph = trace(sources, run)
    assert ids(graph, "data") == {f"people@{'ab' * 16}"}
    assert [node.title for node in graph.causes(one(graph, "data"))] == ["people"]
    assert trace(sources, "ab" * 16).nodes[0].kind == "data"
    assert trace(sources, "cd" * 16).nodes[0].kind == "set"


@pytest.mark.parametrize("name", [PREPARED["surname"], PREPARED["surname"][:32], PREPARED["surname"][:8]])
def test_prepared_data_leads_to_the_models_made_from_it(name: str, sources: Sources) -> None:
    graph = trace(sources, name)
    assert graph.nodes[0].facts == {"path": "data/prepared/surname"}
    assert ids(graph, "model") == {"surname@1", "surname@2"}


@pytest.mark.parametrize("name", ["people", "b" * 64, "b" * 12, "f" * 32, "f" * 8])
def test_raw_data_leads_to_all_models_made_from_it(name: str, world: World, sources: Sources) -> None:
    graph = trace(sources, name)
    assert ids(graph, "model") == {"surname@1", "surname@2", "names@1"}
    others = ids(graph, "run") - {run for name, run in world.runs.items() if "register" in name}
    assert len(others) == (0 if name.startswith("f") else NEWEST)


def test_a_file_of_two_data_sets_names_both(sources: Sources) -> None:
    graph = trace(sources, "a" * 64)
    assert graph.nodes[0].facts["data sets"] == ["people", "places"]
    assert len(ids(graph, "model")) == 3
    assert ids(trace(sources, "c" * 64), "model") == set()


def test_a_row_leads_to_the_models_that_were_trained_on_it(sources: Sources) -> None:
    assert ids(trace(sources, "Rossi"), "model") == {"surname@1", "surname@2"}
    assert ids(trace_row(sources, "MÜLLER", "german"), "model") == {"surname@1", "surname@2"}
    other = trace_row(sources, "Rossi", "German")
    assert not other.edges
    assert other.nodes[0].facts == {"trained models": 0, "answer": "German", "models without record": ["names@1"]}
    assert trace_row(sources, "Rossi", task="names").nodes[0].facts["trained models"] == 0


def test_missing_parts_are_named(world: World, sources: Sources) -> None:
    assert lineage_complete(trace(sources, LOST)) == dict.fromkeys(PARTS, False)
    graph = trace(sources, "surname@1")
    for kinds, part in (({"commit"}, "commit"), ({"dvc.lock"}, "dvc.lock"), ({"set", "data"}, "data")):
        without = graph.model_copy(update={"nodes": [node for node in graph.nodes if node.kind not in kinds]})
        assert [name for name, known in lineage_complete(without).items() if not known] == [part]
    assert one(trace(sources, "names@1"), "commit").facts["changes"] == "not all committed"
    assert one(trace(sources, world.runs["first train@surname"]), "commit").facts.keys() == {"subject", "date"}


def test_data_and_commits_that_are_gone_are_said_to_be(world: World, sources: Sources) -> None:
    lost = {"git_commit": "e" * 40, "dataset_sha256": "1234567890" * 6 + "abcd"}
    run_id = world.stage("third", "evaluate", "names", **lost)
    graph = trace(sources, run_id)
    assert one(graph, "commit").facts == {"repository": "does not have it"}
    assert one(graph, "set").facts["catalogue"] == "has other files now"
    assert trace(sources, lost["dataset_sha256"]).nodes[0].facts["catalogue"] == "does not have it any more"


def test_json_holds_the_whole_graph(sources: Sources) -> None:
    printed = seqline(ANSWERED, "--json")
    graph = Graph.model_validate_json(printed)
    assert graph == trace(sources, ANSWERED)
    document = json.loads(printed)
    known = {node["id"] for node in document["nodes"]}
    assert len(known) == len(document["nodes"])
    assert all({edge["cause"], edge["effect"]} <= known and edge["relation"] for edge in document["edges"])
    assert document["root"] == f"answer:{ANSWERED}"


def test_the_tree_shows_every_node(sources: Sources) -> None:
    printed = " ".join(seqline("surname@1").split())
    assert "made from" in printed
    assert "led to" in printed
    for node in trace(sources, "surname@1").nodes:
        assert f"{node.kind} {node.title}" in printed
    assert "trained models: 0" in seqline("--row", "Nobody")
    assert "model surname@2" in seqline("Rossi", "--answer", "Italian")


@pytest.mark.parametrize("name", [ANSWERED, SHADOWED, "people", "surname@1", LOST])
def test_the_picture_is_as_wide_as_the_chain_is_long(name: str, sources: Sources, tmp_path: Path) -> None:
    path = tmp_path / "lineage.png"
    draw(trace(sources, name), path)
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", content[16:24])
    columns = {ANSWERED: 5, SHADOWED: 5, "people": 3, "surname@1": 5, LOST: 2}[name]
    assert 120 * 2.5 * columns < width < 120 * 3.4 * columns
    assert 60 < height < 2000


@pytest.mark.usefixtures("world")
def test_the_command_writes_the_picture(tmp_path: Path) -> None:
    seqline("people", "--picture", str(tmp_path / "a.png"))
    assert (tmp_path / "a.png").stat().st_size > 5000
    result = CliRunner().invoke(app, ["lineage", "people", "--picture", "a.docx"])
    assert result.exit_code == 1
    assert "a.docx" in result.output


@pytest.mark.parametrize(
    ("name", "task", "message"),
    [
        (ANSWERED[:8], "", f"fits several: answer {ANSWERED}, answer {SHADOWED}"),
        (FIRST, "", "fits several: names@1, surname@1"),
        ("1234567", "", "'1234567' is unknown"),
        ("0" * 31 + "f", "", "is unknown"),
        ("Nobody", "", "'Nobody' is unknown"),
        ("surname@9", "", r"the model of surname has no version '9' \(valid: challenger, 2, champion, 1\)"),
        ("surnam@1", "", "no registered model of 'surnam'; did you mean 'surname'"),
        ("Rossi", "surnam", "no registered model of 'surnam'; did you mean 'surname'"),
    ],
)
def test_what_is_unknown_or_ambiguous_is_said_in_one_line(name: str, task: str, message: str, sources: Sources) -> None:
    with pytest.raises(StageError, match=message) as raised:
        trace(sources, name, task)
    assert "\n" not in str(raised.value)


def test_models_have_a_lineage_without_records_of_answers(sources: Sources, tmp_path: Path) -> None:
    other = Sources(sources.history, Answers(tmp_path), sources.catalogue)
    assert trace(other, "surname@1").nodes[0].facts.keys() == {"archive", "aliases"}
    with pytest.raises(StageError, match="is unknown"):
        trace(other, ANSWERED)
    assert not any(tmp_path.iterdir())


def test_the_server_may_keep_its_records_elsewhere(sources: Sources, tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text(json.dumps({"records": str(Path(".serving/records.sqlite").resolve())}))
    other = Sources(sources.history, Answers(tmp_path), sources.catalogue)
    assert trace(other, ANSWERED) == trace(sources, ANSWERED)


def test_damaged_records_are_an_error_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "records.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(StageError, match=r"the records of answers in .* cannot be read: file is not a database"):
        Answers(tmp_path)


def test_no_database_is_created_where_nothing_was_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StageError, match=r"there is no mlflow\.db here: build a model first"):
        Sources.here(tmp_path)
    assert not any(tmp_path.iterdir())


def test_an_empty_registry_knows_nothing(tmp_path: Path, sources: Sources) -> None:
    empty = Sources(History(f"sqlite:///{tmp_path}/empty.db"), sources.answers, sources.catalogue)
    with pytest.raises(StageError, match="is unknown"):
        trace(empty, "Rossi")
    assert lineage_complete(trace(empty, ANSWERED))["version"] is False
    assert git("status", "--porcelain") == ""
