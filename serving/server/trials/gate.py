"""The gate of a canary: whether a challenger does so much worse than the champion that its trial must end."""

import math
from dataclasses import dataclass
from typing import Final

from serving.server.trials.attempts import Arm, Latency

ANSWERS: Final = 50  # fewer have no p99 to speak of
SLOWEST: Final = 0.01  # share of the answers that are slower than their p99
# A difference that is less probable among equal versions is not by chance. The log is looked at twice a second, and each look is
# another opportunity for chance; at this level, about 1 % of equal challengers are withdrawn within thousands of requests.
LEVEL: Final = 0.002


@dataclass(frozen=True)
class Gate:
    """What a challenger may do worse than the champion.

    Attributes:
        errors: largest share of requests without an answer, beyond the champion's share.
        slower: largest ratio of its p99 latency to the champion's.
        worse: largest loss of the share of right answers among those that people have judged, see `judged.complaint`.
    """

    errors: float = 0.01
    slower: float = 2.0
    worse: float = 0.1

    def crossed(self, champion: Arm, challenger: Arm, *, over: bool = False) -> str | None:
        """Why the challenger must not go on; None if it may.

        Args:
            champion: how the version did that it is compared with.
            challenger: how it did.
            over: whether the trial is over, so that no more requests will tell.
        """
        allowed = champion.without + int(self.errors * champion.requests)
        if chance(challenger.without, challenger.requests, allowed, champion.requests) < LEVEL:
            return (
                f"{challenger.without} of {challenger.requests} requests got no answer, and {champion.without} of "
                f"{champion.requests} of the champion's"
            )
        if min(len(champion.seconds), len(challenger.seconds)) >= ANSWERS:
            return self._late(champion, challenger)
        few = f"too few answers to compare: {challenger.requests}, and {champion.requests} of the champion"
        return few if over else None

    def _late(self, champion: Arm, challenger: Arm) -> str | None:
        """Why the challenger is too slow: more of its answers are late than the 1 % that define the p99 of the champion."""
        usual, count = Latency.of(champion.seconds), len(challenger.seconds)
        limit_s = self.slower * usual.p99_s if usual else math.inf
        late = sum(seconds > limit_s for seconds in challenger.seconds)
        if chance(late, count, int(SLOWEST * len(champion.seconds)), len(champion.seconds)) >= LEVEL:
            return None
        return f"{late} of {count} answers took longer than {limit_s:.3f} s, {self.slower:g} times the champion's p99 latency"


def chance(worse: int, count: int, other_worse: int, other_count: int) -> float:
    """Probability that so many bad outcomes, or more, fall on the first of two versions if both are equal: a binomial test.

    Each of the bad outcomes would fall on it with the share that it has of all requests. The uncertainty of both versions counts.

    Args:
        worse: bad outcomes of the first version.
        count: its requests.
        other_worse: bad outcomes of the other version.
        other_count: its requests.
    """
    every, share = worse + other_worse, count / max(1, count + other_count)
    if worse <= share * every:
        return 1.0  # it is not worse; beyond, each term of the sum is smaller than the one before
    total, term = 0.0, math.exp(_log_ways(every, worse) + worse * math.log(share) + other_worse * math.log1p(-share))
    for i in range(worse, every + 1):
        total += term
        term *= (every - i) / (i + 1) * share / (1 - share)
        if term < LEVEL * 1e-6:
            break
    return total


def _log_ways(of: int, some: int) -> float:
    """The logarithm of a binomial coefficient."""
    return math.lgamma(of + 1) - math.lgamma(some + 1) - math.lgamma(of - some + 1)
