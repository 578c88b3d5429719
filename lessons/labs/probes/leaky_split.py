"""Split 200 texts of 20 authors, and count the authors that are on both sides."""

from pathlib import Path
from tempfile import TemporaryDirectory

from pipelines.data.reading.source import Row, RowSource
from pipelines.data.splitting.splits import Rules, split_rows
from pipelines.data.splitting.table import TableWriter

rows = [Row(text=f"text {i}", group=f"author {i % 20}") for i in range(200)]
with TemporaryDirectory() as folder, TableWriter(Path(folder) / "rows.arrow", ("text",), ("text",)) as table:
    for row in rows:
        table.append(row, 0)
    splits = split_rows(table.index(), [RowSource(file="all")], Rules(0.2, 0.2, limit_per_label=0, train_rows=0, seed=1))
authors = {split: {rows[place].group for place in places} for split, places in splits.places.items()}
print(f"authors of test texts: {len(authors['test'])}, of these in training, too: {len(authors['test'] & authors['train'])}")
