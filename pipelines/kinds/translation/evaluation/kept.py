"""Numbers and names that a translation has to keep unchanged."""

import re
from collections.abc import Sequence

WHAT = {
    "numbers": re.compile(r"\d+(?:[.,:/-]\d+)*"),
    # A capital letter after another word, or inside one: "in Paris", "the GNU tools", "libX11".
    "names": re.compile(r"(?<=[\w,] )[A-Z]\w+|\w+[a-z][A-Z]\w*|\w*[A-Z]{2}\w*"),
}


def kept(sources: Sequence[str], references: Sequence[str], hypotheses: Sequence[str]) -> dict[str, float]:
    """Shares of numbers and names, out of those in both the source and its reference, that the translation contains.

    Args:
        sources: sentences.
        references: people's translations.
        hypotheses: the model's.

    Returns:
        kept_numbers and kept_names; each is left out if there are none in the texts.
    """
    shares = {}
    for name, pattern in WHAT.items():
        found = [
            word in hypothesis
            for source, reference, hypothesis in zip(sources, references, hypotheses, strict=True)
            for word in {*pattern.findall(source)} & {*pattern.findall(reference)}
        ]
        if found:
            shares[f"kept_{name}"] = sum(found) / len(found)
    return shares
