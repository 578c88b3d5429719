"""Whether the lineage of an answer is complete."""

from typing import Final

from pipelines.lineage.graph import Graph

PARTS: Final = ("version", "run", "commit", "dvc.lock", "data")


def lineage_complete(graph: Graph) -> dict[str, bool]:
    """Which parts of a lineage are known: all of them, if it is complete.

    Args:
        graph: of an answer or of a model.

    Returns:
        for each of PARTS, whether there is one: a registered version, the run that registered it, the commit and the state of
        dvc.lock that this run recorded, and digests of all data sets.
    """
    sets = [node.facts["sha256"] for node in graph.kind("set")]
    return {
        "version": any("registry" not in node.facts for node in graph.kind("model")),
        "run": bool(graph.kind("run")),
        "commit": bool(graph.kind("commit")),
        "dvc.lock": bool(graph.kind("dvc.lock")),
        "data": bool(sets) and all(sets),
    }
