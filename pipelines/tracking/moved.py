"""Repairs paths in MLflow's local database after its folder has been moved or copied."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from pipelines.stage import StageError

DATABASE: Final = Path("mlflow.db")
ARTIFACTS: Final = Path("mlruns")  # MLflow's default, next to the database; it stores the absolute path
UNREADABLE: Final = re.compile(r"#|%[0-9A-Fa-f]{2}")  # MLflow parses some paths as URLs, and misreads these
# Columns with the stored path.
COLUMNS: Final = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


def follow_artifacts(database: Path = DATABASE) -> None:
    """Point the database to the artifacts next to it, since runs would otherwise use the old path, or not be found."""
    if not database.is_file():
        return
    here = str((database.parent / ARTIFACTS).absolute())
    with closing(sqlite3.connect(database, timeout=60)) as connection, connection:
        there = _root(connection)
        if there is None or there == here:
            return
        for table, column in COLUMNS:
            # Table and column are constants.
            change = f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?"  # noqa: S608
            connection.execute(change, (here, len(there) + 1, len(there) + 1, f"{there}/"))


def check_folder(folder: Path) -> None:
    """Check that MLflow can find artifacts in this folder. Raises StageError if it cannot."""
    if UNREADABLE.search(str(folder)):
        raise StageError(
            f"MLflow cannot store artifacts in {folder}: rename the folder with # or % in its name, or set MLFLOW_TRACKING_URI"
        )


def _root(connection: sqlite3.Connection) -> str | None:
    """The stored root folder of all artifacts, by the first experiment; None if there is no experiment or no such folder."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'experiments'").fetchone():
        return None
    found = connection.execute("SELECT artifact_location FROM experiments ORDER BY experiment_id LIMIT 1").fetchone()
    root = Path(found[0] if found else "").parent
    return str(root) if root.is_absolute() and root.name == ARTIFACTS.name else None
