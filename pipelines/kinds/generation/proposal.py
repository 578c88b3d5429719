"""Proposes a block for a text generator."""

import json
from collections.abc import Mapping, Sequence
from statistics import fmean

from pipelines.kinds.generation.settings import ANY
from pipelines.new.facts import Facts
from pipelines.new.sizes import shared

NEEDED = ("text",)
UNITS = ("characters",)


def check(_: Facts) -> None:
    """Accepts any texts."""


def units(_: Facts) -> str:
    """Characters."""
    return "characters"


def values(name: str, title: str, facts: Facts, _: str, __: Mapping[str, int], ___: Mapping[str, str]) -> dict[str, str]:
    """See `pipelines.kinds.classification.proposal.values`."""
    mean = fmean(len(row.text) for row in facts.sample) + 2
    longest = max(facts.characters(0.999), 20)
    return shared(name, title, facts, mean, max(round(2000 / mean), 8)) | {"longest": str(longest), "served": str(longest)}


def examples(texts: Mapping[str, Sequence[str]]) -> str:
    """The beginnings of two texts, one with a label if there are labels, in the block's syntax."""
    labelled = len(set(texts["label"])) > 1
    first = {"text": texts["text"][0][:3], "label": texts["label"][0] if labelled else ANY}
    return "\n".join(f"      - {json.dumps(one, ensure_ascii=False)}" for one in (first, {"text": "", "label": ANY}))
