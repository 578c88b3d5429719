"""Walks from one thing to what it was made from, and to what was made from it."""

from collections.abc import Sequence
from typing import Final

from pipelines.lineage.graph import Graph, Node
from pipelines.lineage.history import Run, Version
from pipelines.lineage.nodes import DIGITS, Facts, Sources, commit_node, data_node, lock_node, run_node, unregistered
from pipelines.lineage.rows import contains

NEWEST: Final = 3  # answers of a model, and runs without a model that read data, in a graph


def of_answer(sources: Sources, identity: str) -> Graph:
    """An answer, with the model that gave it, shadows that were asked, too, and their causes.

    Args:
        sources: what is known.
        identity: the request's id, which has records.
    """
    answers = sources.answers.of(identity)
    graph = Graph.of(root := sources.answer(answers))
    for model, archive in dict.fromkeys((answer.model, answer.version) for answer in answers):
        found = sources.history.of_archive(archive, [model])
        node = graph.add(sources.model(found[0]) if found else unregistered(model, archive), effect=root)
        if found:
            _add_causes(graph, sources, found[0], node)
    return graph


def of_version(sources: Sources, version: Version) -> Graph:
    """A model, with its causes and its latest answers."""
    graph = Graph.of(root := sources.model(version))
    _add_causes(graph, sources, version, root)
    for answer in sources.answers.served(version.task, version.archive, NEWEST).latest:
        graph.add(sources.answer([answer]), cause=root)
    return graph


def of_run(sources: Sources, run: Run) -> Graph:
    """A run or a build, with its causes, and the models that were made from it."""
    graph = Graph.of(root := run_node(run))
    if run.is_build:
        for one in sources.history.stages(run.id):
            stage = graph.add(run_node(one), cause=root)
            for version in sources.history.registered_by(one):
                graph.add(sources.model(version), cause=stage)
        return graph
    _add_origin(graph, sources, run, root)
    for version in sources.history.versions(run.task):
        registering = sources.history.run(version.run_id)
        if registering and run.id == registering.id:
            graph.add(sources.model(version), cause=root)
        elif registering and run.id in {one.id for one in sources.history.makers(registering)}:
            graph.add(sources.model(version), cause=graph.add(run_node(registering), cause=root))
    return graph


def of_data(sources: Sources, digest: str) -> Graph:
    """Prepared data or a raw data set that runs have logged with a digest, with what was made from it."""
    readers = sources.history.readers(digest)
    name, run = next((name, run) for run in readers for name, known in run.inputs if known == digest)
    root = sources.data_set(name, run) if name in run.data_sets else data_node(name, digest)
    return _with_readers(Graph.of(root), sources, readers)


def of_data_set(sources: Sources, name: str) -> Graph:
    """A raw data set of the catalogue, with what was made from any of its files, read as part of it."""
    found = [run for file in sources.catalogue[name].files for run in sources.history.readers(file.sha256)]
    return _with_readers(Graph.of(sources.data_set(name)), sources, [run for run in found if name in run.data_sets])


def of_file(sources: Sources, sha256: str) -> Graph:
    """A file of raw data, with what was made from it."""
    names = [name for name, known in sources.catalogue.items() if sha256 in {file.sha256 for file in known.files}]
    facts: Facts = {"data sets": names} if names else {"catalogue": "does not have it any more"}
    root = Node(id=f"set:{sha256}", kind="set", title=f"file {sha256[:DIGITS]}", facts={**facts, "sha256": [sha256]})
    return _with_readers(Graph.of(root), sources, sources.history.readers(sha256))


def of_row(sources: Sources, text: str, answer: str, tasks: Sequence[str]) -> Graph:
    """A row, with the models of some tasks that were trained on it.

    Args:
        sources: what is known.
        text: its input.
        answer: its label or translation, or the name of its series; if empty, any.
        tasks: names of tasks.
    """
    versions = [version for task in tasks for version in sources.history.versions(task)]
    known = {version: digests for version in versions if (digests := sources.history.train_rows(version)) is not None}
    trained = [version for version, digests in known.items() if contains(digests, text, answer)]
    facts: Facts = {"trained models": len(trained)}
    facts |= {"answer": answer} if answer else {}
    facts |= {"models without record": unknown} if (unknown := [one.name for one in versions if one not in known]) else {}
    graph = Graph.of(Node(id=f"row:{text}", kind="row", title=text, facts=facts))
    for version in trained:
        graph.add(sources.model(version), cause=graph.nodes[0])
    return graph


def _with_readers(graph: Graph, sources: Sources, readers: Sequence[Run]) -> Graph:
    """Add the models that were made from data, and the latest other runs that read it."""
    runs = {run.id: run for run in readers}
    made = {run.id: sources.history.registered_by(run) for run in runs.values() if run.tags.get("stage") == "register"}
    others = [run for run in runs.values() if not made.get(run.id)]
    for run in [run for run in runs.values() if made.get(run.id)] + others[:NEWEST]:
        reading = graph.add(run_node(run), cause=graph.nodes[0])
        for version in made.get(run.id, []):
            graph.add(sources.model(version), cause=reading)
    return graph


def _add_causes(graph: Graph, sources: Sources, version: Version, node: Node) -> None:
    """Add what a version was made from."""
    run = sources.history.run(version.run_id)
    if run is None:
        return
    registering = graph.add(run_node(run), effect=node)
    for maker in sources.history.makers(run):
        facts: Facts = {} if maker.parent == run.parent else {"build": "an earlier one"}
        graph.add(run_node(maker, facts), effect=registering)
    _add_origin(graph, sources, run, registering, version)


def _add_origin(graph: Graph, sources: Sources, run: Run, node: Node, version: Version | None = None) -> None:
    """Add the commit, the state of dvc.lock and the data of a run, and of a version that it registered."""
    tags = {"git_commit": "", "dvc_lock_sha256": "none", **run.tags}
    if tags["git_commit"]:
        graph.add(commit_node(tags["git_commit"]), effect=node)
    if tags["dvc_lock_sha256"] != "none":
        graph.add(lock_node(tags["dvc_lock_sha256"], tags["git_commit"], version), effect=node)
    prepared = [graph.add(data_node(*one), effect=node) for one in run.inputs if one[0] not in run.data_sets]
    for name in run.data_sets:
        for effect in prepared or [node]:
            graph.add(sources.data_set(name, run), effect=effect)
