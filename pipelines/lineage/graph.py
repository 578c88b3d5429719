"""The graph of a lineage: what came from what."""

from collections.abc import Iterator
from typing import Final, Literal

from pydantic import BaseModel

Kind = Literal["row", "set", "data", "commit", "dvc.lock", "build", "run", "model", "answer"]
Fact = str | int | float | list[str]

# (kind of the cause, kind of the effect) -> how the cause relates to the effect. There are no other edges.
RELATIONS: Final[dict[tuple[Kind, Kind], str]] = {
    ("set", "data"): "was prepared as",
    ("set", "run"): "was read by",
    ("data", "run"): "was read by",
    ("commit", "run"): "is the code of",
    ("dvc.lock", "run"): "is the state of the pipeline of",
    ("build", "run"): "includes",
    ("run", "run"): "ran before",
    ("run", "model"): "registered",
    ("row", "model"): "trained",
    ("model", "answer"): "gave",
}


class Node(BaseModel, frozen=True):
    """Something in a lineage.

    Attributes:
        id: KIND:NAME, with digests and ids in full; unique in a graph.
        kind: row (of the training data), set (raw data set), data (prepared data), commit (of Git), dvc.lock (a state of this
            file), build (the runs that one command started), run (of a stage, in MLflow), model (a registered version) or answer.
        title: short name, in which digests and ids are shortened.
        facts: what else is known.
    """

    id: str
    kind: Kind
    title: str
    facts: dict[str, Fact] = {}


class Edge(BaseModel, frozen=True):
    """What a node led to, by their ids; `relation` reads from the cause to the effect."""

    cause: str
    effect: str
    relation: str


class Graph(BaseModel):
    """A lineage.

    Attributes:
        root: id of the node that was asked about.
        nodes: in the order in which they were found, the root first.
        edges: between them, each once, without circles.
    """

    root: str
    nodes: list[Node]
    edges: list[Edge] = []

    @classmethod
    def of(cls, root: Node) -> "Graph":
        """A graph with one node."""
        return cls(root=root.id, nodes=[root])

    def node(self, identity: str) -> Node:
        """The node with an id. Raises KeyError if there is none."""
        return {node.id: node for node in self.nodes}[identity]

    def kind(self, kind: Kind) -> list[Node]:
        """All nodes of a kind."""
        return [node for node in self.nodes if node.kind == kind]

    def add(self, node: Node, *, cause: Node | None = None, effect: Node | None = None) -> Node:
        """Add a node that an existing one was made from or led to.

        Args:
            node: the node; one that exists stays as it is.
            cause: the node that led to it.
            effect: the node that it led to.

        Returns:
            the node.

        Raises:
            KeyError: nodes of these kinds have no relation.
        """
        if node.id not in {known.id for known in self.nodes}:
            self.nodes.append(node)
        for before, after in ((cause, node), (node, effect)):
            if before and after:
                edge = Edge(cause=before.id, effect=after.id, relation=RELATIONS[before.kind, after.kind])
                if edge not in self.edges:
                    self.edges.append(edge)
        return node

    def causes(self, node: Node) -> Iterator[Node]:
        """The nodes that led directly to this one."""
        return (self.node(edge.cause) for edge in self.edges if edge.effect == node.id)

    def effects(self, node: Node) -> Iterator[Node]:
        """The nodes that this one led to directly."""
        return (self.node(edge.effect) for edge in self.edges if edge.cause == node.id)
