"""A lineage as text: a tree with the thing that was asked about as its root."""

from collections.abc import Callable, Iterator
from typing import Final

from rich.markup import escape
from rich.tree import Tree

from pipelines.lineage.graph import Fact, Graph, Node
from pipelines.lineage.nodes import DIGITS

LONG: Final = 32  # characters of the shortest id or digest

Next = Callable[[Node], Iterator[Node]]


def tree(graph: Graph) -> Tree:
    """The causes of the root, if any, then what it led to."""
    root = graph.node(graph.root)
    drawn = Tree(_label(root))
    for title, following in (("made from", graph.causes), ("led to", graph.effects)):
        if any(following(root)):
            _grow(drawn.add(f"[dim]{title}[/]"), root, following)
    return drawn


def _grow(branch: Tree, node: Node, following: Next) -> None:
    for one in following(node):
        _grow(branch.add(_label(one)), one, following)


def _label(node: Node) -> str:
    facts = ", ".join(f"{name}: {shown(value)}" for name, value in node.facts.items())
    own = f"[bold]{node.kind}[/] {escape(node.title)}"
    return f"{own}  [dim]{escape(facts)}[/]" if facts else own


def shown(value: Fact) -> str:
    """A fact as text, with shortened digests."""
    if isinstance(value, list):
        return ", ".join(map(shown, value))
    text = str(value)
    return text[:DIGITS] if len(text) >= LONG and " " not in text and text.isalnum() else text
