"""Names of what `seqline retrain` adds to a task's data. `seqline remove` undoes it."""

from pathlib import Path

from pipelines.paths import FEEDBACK


def with_feedback(task: str) -> str:
    """The data set of old and new rows."""
    return f"{task}-and-feedback"


def feedback_file(task: str) -> Path:
    """The file with a task's rows of feedback."""
    return FEEDBACK / f"{task}.csv"


def waiting_file(task: str) -> Path:
    """The file with rows of feedback whose labels have too few rows to learn from; no task's name contains a dot."""
    return FEEDBACK / f"{task}.waiting.csv"
