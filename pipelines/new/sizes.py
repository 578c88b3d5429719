"""Chooses the sizes of a new task's block that are common to all kinds."""

import json
from collections.abc import Sequence

from pipelines.new.facts import Facts

HELD_OUT_SHARE, MOST_HELD_OUT = 0.1, 5000  # share and maximum number of rows, for validation and for testing each
UPDATES = 3000  # enough for a small model, regardless of the data
FEWEST, MOST = 2, 30  # epochs


def shared(name: str, title: str, facts: Facts, units_a_row: float, batch_rows: int) -> dict[str, str]:
    """Values for a block: names, held-out sizes, epochs and batches.

    Args:
        name: of the task and of its data set.
        title: a description in one line.
        facts: about its rows.
        units_a_row: mean length of a row.
        batch_rows: rows in a batch.
    """
    held_out = HELD_OUT_SHARE if HELD_OUT_SHARE * facts.rows < MOST_HELD_OUT else MOST_HELD_OUT
    a_pass = max(facts.rows // batch_rows, 1)
    epochs = min(max(round(UPDATES / a_pass), FEWEST), MOST)
    return {
        "name": name,
        "data_set": name,
        "title": title,
        "valid_size": str(held_out),
        "test_size": str(held_out),
        "epochs": str(epochs),
        "updates": f"{epochs * a_pass:,}",
        "batch_units": str(max(round(batch_rows * units_a_row), 1)),
        "batch_rows": str(batch_rows),
    }


def quoted(texts: Sequence[str]) -> str:
    """Texts as a list in YAML, on one line."""
    return json.dumps(list(texts), ensure_ascii=False)
