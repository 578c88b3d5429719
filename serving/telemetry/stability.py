"""The population stability index."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

LEAST: Final = 1e-3  # minimum share of a bin, as the index is infinite at 0


def stability(latest: Sequence[str], expected: Mapping[str, float]) -> float:
    """The population stability index (PSI) of values in bins.

    PSI = sum over bins of (p - q) ln(p / q) for shares p now and q in the reference. By convention, values below 0.1 mean no
    change, and values above 0.25 a significant one (Siddiqi 2006, Credit Risk Scorecards).

    Args:
        latest: the bins of the latest values.
        expected: the share of each bin in the reference.
    """
    counts, total = Counter(latest), 0.0
    for place in expected.keys() | counts.keys():
        now, then = max(counts[place] / len(latest), LEAST), max(expected.get(place, 0.0), LEAST)
        total += (now - then) * math.log(now / then)
    return total
