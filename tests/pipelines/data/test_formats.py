"""Users' files: every format gives the same rows, and errors name the line."""

import csv
import gzip
import json
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.data.reading.rows import source_of
from pipelines.data.reading.source import Row, RowSource
from pipelines.data.reading.text_files import LONGEST
from pipelines.stage import StageError

TEXTS = ["Hello, world", 'a "quoted"; text\nof two lines', "naïve café ☕", "=1+1"]


def source(**keys: Any) -> RowSource:
    return source_of(keys, "a file")


def write_csv(path: Path, rows: Sequence[Mapping[str, str]], delimiter: str = ",", encoding: str = "utf-8") -> None:
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_csv_of_any_delimiter_with_line_breaks_in_quotes(tmp_path: Path, delimiter: str, encoding: str) -> None:
    write_csv(tmp_path / "f.csv", [{"body": text, "queue": "q"} for text in TEXTS], delimiter, encoding)
    read = source(format="csv", file="f.csv", delimiter=delimiter, columns={"text": "body", "label": "queue"})
    assert list(read.rows(tmp_path)) == [Row(text=text, label="q") for text in TEXTS]


@given(
    st.lists(st.text(st.characters(exclude_characters="\0\r", exclude_categories=["Cs"]), max_size=20), min_size=1, max_size=8)
)
def test_csv_round_trip(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    folder = tmp_path_factory.mktemp("csv")
    write_csv(folder / "f.csv", [{"text": text, "label": "x"} for text in texts])
    assert [row.text for row in source(format="csv", file="f.csv").rows(folder)] == texts


def test_json_lines_and_parquet(tmp_path: Path) -> None:
    rows = [{"text": text, "label": i} for i, text in enumerate(TEXTS)]
    (tmp_path / "f.jsonl").write_text("\n".join(json.dumps(row) for row in rows) + "\n\n")
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "f.parquet")
    expected = [Row(text=text, label=str(i)) for i, text in enumerate(TEXTS)]
    assert list(source(format="jsonl", file="f.jsonl").rows(tmp_path)) == expected
    assert list(source(format="parquet", file="f.parquet").rows(tmp_path)) == expected


def test_lines_compressed_or_not_and_folders_of_texts(tmp_path: Path) -> None:
    (tmp_path / "f.txt").write_text("one\n\n two \r\nthree")
    with gzip.open(tmp_path / "f.txt.gz", "wt") as file:
        file.write("one\n\n two \nthree")
    expected = [Row(text=text) for text in ("one", "two", "three")]
    for name in ("f.txt", "f.txt.gz"):
        assert list(source(format="lines", file=name).rows(tmp_path)) == expected
    for label, name, text in (("spam", "1.txt", "win\nnow"), ("ham", "b", "hi")):
        (tmp_path / "mails" / label).mkdir(parents=True)
        (tmp_path / "mails" / label / name).write_text(text)
    found = list(source(format="folders", file="mails").rows(tmp_path))
    assert found == [Row(text="hi", label="ham"), Row(text="win\nnow", label="spam")]


def test_two_files_and_tmx(tmp_path: Path) -> None:
    sides = [("Guten Tag.", "Good day."), ("Danke & bitte <hier>", "Thanks & please <here>")]
    for i, name in enumerate(("f.de", "f.en")):
        (tmp_path / name).write_text("".join(f"{pair[i]}\n" for pair in sides))
    aligned = source(format="aligned", file="f.de", translations="f.en")
    (tmp_path / "f.tmx").write_text(
        '<?xml version="1.0"?><tmx version="1.4"><header/><body>'
        '<tu><tuv xml:lang="de-DE"><seg>Guten <hi>Tag</hi>.</seg></tuv><tuv xml:lang="EN"><seg>Good day.</seg></tuv></tu>'
        '<tu><tuv xml:lang="de-DE"><seg>Danke &amp; bitte &lt;hier&gt;</seg></tuv>'
        '<tuv xml:lang="EN"><seg>Thanks &amp; please &lt;here&gt;</seg></tuv></tu></body></tmx>'
    )
    tmx = source(format="tmx", file="f.tmx", columns={"source": "de-de", "target": "en"})
    expected = [Row(source=one, target=other) for one, other in sides]
    assert list(aligned.rows(tmp_path)) == list(tmx.rows(tmp_path)) == expected


def test_paragraphs_are_split_into_sentences_if_both_sides_have_the_same_number(tmp_path: Path) -> None:
    rows = [("Un. Deux.", "One. Two."), ("Un. Deux.", "One and two."), ("Trois.", "Three.")]
    (tmp_path / "f.tsv").write_text("".join(f"{one}\t{other}\n" for one, other in rows))
    read = source(format="csv", file="f.tsv", delimiter="\t", quoted=False, names=["source", "target"], sentences=True)
    found = list(read.rows(tmp_path))
    assert [(row.source, row.target) for row in found] == [("Un.", "One."), ("Deux.", "Two."), *rows[1:]]
    assert found[0].group == found[1].group != ""
    assert {row.group for row in found[2:]} == {""}


def broken_csv(folder: Path) -> None:
    (folder / "f").write_text("text,label\na,b\nc\n")


def open_quote(folder: Path) -> None:
    (folder / "f").write_text('text,label\na,b\n"c,d\n' + "x,y\n" * 1000)


def latin(folder: Path) -> None:
    (folder / "f").write_bytes("text,label\na,b\ncafé,d\n".encode("latin-1"))


def nul(folder: Path) -> None:
    (folder / "f").write_text("text,label\na\0,b\n")


def long_field(folder: Path) -> None:
    (folder / "f").write_text(f'text,label\na,b\n"{"x" * (LONGEST + 1)}",c\n')


def huge_field(folder: Path) -> None:
    (folder / "f").write_text(f'text,label\na,b\n"{"x" * 10 * LONGEST}",c\n')


def missing_column(folder: Path) -> None:
    (folder / "f").write_text("txt,label\na,b\n")


def bad_json(folder: Path) -> None:
    (folder / "f").write_text('{"text": "a"}\n{"text": \n')


def json_list(folder: Path) -> None:
    (folder / "f").write_text('["a"]\n')


def no_parquet(folder: Path) -> None:
    (folder / "f").write_text("text")


def bad_xml(folder: Path) -> None:
    (folder / "f").write_text("<tmx><body><tu></body>")


def unequal(folder: Path) -> None:
    (folder / "f").write_text("a\nb\n")
    (folder / "g").write_text("a\n")


CSV = {"format": "csv", "columns": {"text": "text"}}


@pytest.mark.parametrize(
    ("write", "keys", "message"),
    [
        (broken_csv, CSV, "f, line 3: the record has 1 fields, not 2"),
        (open_quote, CSV, "f, line 3: .*is a quotation mark left open"),
        (latin, CSV, "f, line 3: byte 0xe9 is not UTF-8; convert the file, for example: iconv -f ISO-8859-1 -t UTF-8 f > utf8-f"),
        (nul, CSV, "f, line 2: the line contains a NUL character"),
        (long_field, CSV, "f, line 3: the line is longer than 1,000,000 characters"),
        (huge_field, CSV, "f, line 3: the line is longer than 1,000,000 characters"),
        (missing_column, CSV, "f has no column 'text'; did you mean 'txt'"),
        (bad_json, {"format": "jsonl"}, "f, line 2: this is not JSON"),
        (json_list, {"format": "jsonl"}, "f, line 1: this is not a JSON object"),
        (no_parquet, {"format": "parquet"}, "f is not a readable Parquet file"),
        (bad_xml, {"format": "tmx"}, "f is not well-formed XML"),
        (unequal, {"format": "aligned", "translations": "g"}, "f has 2 lines, but .*g has 1"),
    ],
)
def test_invalid_files_are_refused_naming_the_line(
    tmp_path: Path, write: Callable[[Path], None], keys: dict[str, Any], message: str
) -> None:
    write(tmp_path)
    with pytest.raises(StageError, match=message):
        list(source(file="f", **keys).rows(tmp_path))


def test_memory_does_not_grow_with_an_xml_file(tmp_path: Path) -> None:
    unit = '<tu><tuv xml:lang="de"><seg>{0} Haus</seg></tuv><tuv xml:lang="en"><seg>{0} house</seg></tuv></tu>\n'
    peaks = []
    for units in (2000, 8000):
        body = "".join(unit.format(" ".join(map(str, range(i, i + 20)))) for i in range(units))
        (tmp_path / "f.tmx").write_text(f"<tmx><body>{body}</body></tmx>")
        tracemalloc.start()
        assert (
            sum(1 for _ in source(format="tmx", file="f.tmx", columns={"source": "de", "target": "en"}).rows(tmp_path)) == units
        )
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]
