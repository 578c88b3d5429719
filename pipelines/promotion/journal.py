"""The journal of what happened to models: trained, compared, promoted, held back. One JSON object per line."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipelines.paths import JOURNAL


def note(event: str, task: str, **details: Any) -> dict[str, Any]:
    """Append an event and return it."""
    entry = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "event": event, "task": task, **details}
    JOURNAL.parent.mkdir(parents=True, exist_ok=True)
    with JOURNAL.open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry, ensure_ascii=False) + "\n")
    return entry


def events(task: str, event: str | None = None, path: Path = JOURNAL) -> list[dict[str, Any]]:
    """The events of a task, oldest first; all, or those of one name."""
    if not path.exists():
        return []
    entries: list[dict[str, Any]] = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [entry for entry in entries if entry["task"] == task and event in (None, entry["event"])]
