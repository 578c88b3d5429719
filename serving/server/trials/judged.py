"""What people say about the answers of both versions of a trial."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from serving.records import Records

FEWEST: Final = 30  # judged answers of each version; fewer can be chance


@dataclass(frozen=True)
class Judged:
    """The answers of a version that somebody has judged.

    Attributes:
        right: number of right ones.
        count: number of all.
    """

    right: int = 0
    count: int = 0

    @classmethod
    def of(cls, file: Path, model: str, version: str, since: float) -> Self:
        """What the records of a server say since a time, in seconds since 1970."""
        records = Records(file)
        try:
            return cls(*records.right(model, version, since))
        finally:
            records.close()

    @property
    def share(self) -> float:
        """The share of right answers."""
        return self.right / max(1, self.count)


def complaint(champion: Judged, challenger: Judged, worse: float) -> str | None:
    """Why a challenger must not go on; None if it may, or if too few answers are judged.

    Args:
        champion: the other version's answers.
        challenger: its own.
        worse: largest loss of the share of right answers; chance may add three standard errors of a difference of shares.
    """
    if min(champion.count, challenger.count) < FEWEST:
        return None
    variance = sum(one.share * (1 - one.share) / one.count for one in (champion, challenger))
    if champion.share - challenger.share <= worse + 3 * math.sqrt(variance):
        return None
    said = "{0.right} of {0.count} judged answers are right"
    return f"{said.format(challenger)}, and {champion.right} of {champion.count} of the champion's"
