"""The contextual model's graph with example inputs."""

from models.embeddings.elmo import ContextGraph, ELMo
from pipelines.onnx_export.examples import ROWS, UNITS, ids, lengths
from pipelines.onnx_export.graph import Graph, Inputs


def context_graph(model: ELMo) -> Graph:
    """The graph of an ELMo."""
    longest = model.spellings.shape[1]

    def example(batch: int, length: int) -> Inputs:
        spellings = ids(model.words.embedding.num_embeddings, batch, length, longest)
        return {"spellings": spellings, "lengths": lengths(batch, length)}

    return Graph("context", ContextGraph(model), example, {"spellings": UNITS, "lengths": ROWS}, ["layers"])
