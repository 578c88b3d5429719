"""Names of what `seqline retrain` makes for a task."""

from pathlib import Path
from typing import Final

from pipelines.paths import FEEDBACK

EVENT: Final = "retrain"  # in the journal: a training begins
RESTORED: Final = "restored"  # in the journal: it gave the version of an earlier training
OUTCOMES: Final = frozenset({"shadow", "waiting", RESTORED})  # events in the journal, one of which ends each round


def with_feedback(task: str) -> str:
    """The data set of old and new rows."""
    return f"{task}-and-feedback"


def feedback_file(task: str) -> Path:
    """The file with a task's rows of feedback."""
    return FEEDBACK / f"{task}.csv"


def waiting_file(task: str) -> Path:
    """The file with rows of feedback whose labels have too few rows to learn from; no task's name contains a dot."""
    return FEEDBACK / f"{task}.waiting.csv"
