"""`seqline new` and `seqline remove`: any file becomes a task, and errors are reported before anything is written."""

import csv
import gzip
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from gensim.models import KeyedVectors
from own_data import write_zoo
from typer.testing import CliRunner

from models.text.vectors import WordVectors
from models.text.words import WordVocabulary
from pipelines.data.catalogue import load_catalogue
from pipelines.data.fetch import Backoff
from pipelines.data.prepared import SPLITS
from pipelines.data.reading.rows import sources_of
from pipelines.kinds.translation.settings import TranslationTask
from pipelines.new.vectors import METHODS
from pipelines.paths import CATALOGUE, METRICS, PARAMS, RAW
from pipelines.repro.preflight import check_files
from pipelines.settings.params import load_params
from pipelines.stage import StageError
from pipelines.stages.download import download
from pipelines.stages.prepare import main as prepare_stage
from pipelines.verbs import app

ROOT = Path(__file__).parents[2]
QUEUES = {"sales": "buy a new {}", "support": "my {} does not work", "billing": "the invoice for the {} is wrong"}
THINGS = [f"{size} {thing} {i}" for i in range(8) for size in ("small", "large") for thing in ("phone", "printer", "lamp")]
GERMAN = [(f"Das Haus {i} ist auf der Straße und nicht alt.", f"The house {i} is on the street and not old.") for i in range(120)]


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the two files that are edited, and the code."""
    (tmp_path / "data").mkdir()
    for path in (PARAMS, CATALOGUE):
        shutil.copyfile(ROOT / path, tmp_path / path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def tickets(path: Path, labels: Sequence[str] = tuple(QUEUES), delimiter: str = ";") -> Path:
    rows = [{"body": f"Hello,\n{QUEUES[q].format(thing)} please", "queue": q} for thing in THINGS for q in labels]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["body", "queue"], delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


def zoo(folder: Path) -> Path:
    write_zoo(folder)
    return folder / "zoo.txt"


def run(*arguments: str) -> str:
    """The output of a successful command, from both streams."""
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, result.output
    return result.output


def refused(*arguments: str) -> str:
    """The one-line error of a command, which changes no file."""
    before = {path: path.read_bytes() for path in (PARAMS, CATALOGUE)}
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 1, result.output
    assert {path: path.read_bytes() for path in (PARAMS, CATALOGUE)} == before
    lines = result.output.strip().splitlines()
    assert len(lines) == 1, result.output
    return lines[0]


def test_a_csv_becomes_a_classifier_and_is_removed_again(repository: Path) -> None:
    before = {path: path.read_text() for path in (PARAMS, CATALOGUE)}
    said = run("new", "tickets", "--kind", "classification", "--data", str(tickets(repository / "tickets.csv")), "--yes")
    assert "144 rows" in said
    assert "3 labels: sales 48, support 48, billing 48" in said
    task = load_params().task("tickets")
    assert (task.kind, task.units, task.data.set) == ("classification", "words", "tickets")
    assert len(task.examples) == 2
    assert all("please" in str(text) for text in task.examples)
    (source,) = load_catalogue(CATALOGUE)["tickets"].rows
    assert source["columns"] == {"text": "body", "label": "queue"}
    comments = [line for line in before[PARAMS].splitlines() if line.strip().startswith("#")]
    assert [line for line in PARAMS.read_text().splitlines() if line in comments] == comments
    run("remove", "tickets")
    assert {path: path.read_text() for path in (PARAMS, CATALOGUE)} == before


def test_two_tasks_can_coexist(repository: Path) -> None:
    path = str(tickets(repository / "tickets.csv"))
    for name in ("first", "second"):
        run("new", name, "--kind", "classification", "--data", path, "--yes")
    run("remove", "first")
    params = yaml.safe_load(PARAMS.read_text())
    assert list(params["tasks"])[-1] == "second"
    assert params["datasets"][-1] == "second"


def test_texts_become_a_generator_and_pairs_a_translator(repository: Path) -> None:
    (repository / "names.txt").write_text("\n".join(f"{a}{b}{c}ski" for a in "BKMNP" for b in "aeio" for c in "dklmn"))
    run("new", "villages", "--data", "names.txt", "--yes")
    assert load_params().task("villages").kind == "generation"
    for i, name in enumerate(("corpus.de", "corpus.en")):
        (repository / name).write_text("".join(f"{pair[i]}\n" for pair in GERMAN))
    run("new", "de-en", "--kind", "translation", "--data", "corpus.de", "--data", "corpus.en", "--yes")
    task = load_params().task_of("de-en", TranslationTask)
    assert task.kind == "translation"
    assert (task.prepare.source, task.prepare.target) == ("de", "en")


def test_a_text_becomes_word_vectors_by_any_method_and_is_removed_again(repository: Path) -> None:
    before = {path: path.read_text() for path in (PARAMS, CATALOGUE)}
    methods = [argument for method in METHODS for argument in ("--method", method)]
    said = run("new", "zoo", "--kind", "vectors", "--data", str(zoo(repository)), *methods, "--yes")
    assert "distinct ones get vectors" in said
    params = load_params()
    assert {method.algorithm for method in params.methods_of("zoo").values()} == {*METHODS}
    export = params.word_vectors("zoo").export
    assert (export.known, export.unknown, export.contextual) == ("zoo/zoo-skip-gram", "zoo/zoo-fasttext", "zoo/zoo-elmo")
    run("remove", "zoo")
    assert {path: path.read_text() for path in (PARAMS, CATALOGUE)} == before


def test_shipped_blocks_can_be_removed_and_new_ones_created_from_nothing(repository: Path) -> None:
    for name in ("sentiment", "vectors", "tickers", "surname"):
        run("remove", name)
    params = load_params()
    assert (params.corpora, params.methods, params.vectors) == ({}, {}, {})
    # Data sets that other tasks read stay, as do those that no block ever named.
    assert params.datasets == ["surnames17", "debian-stories-fr-en", "word-relations", "index-prices", "stock-prices"]
    run("new", "zoo", "--kind", "vectors", "--data", str(zoo(repository)), "--yes")
    assert list(load_params().vectors) == ["zoo"]


def test_vectors_that_a_task_starts_from_cannot_be_removed(repository: Path) -> None:
    run("new", "zoo", "--kind", "vectors", "--data", str(zoo(repository)), "--yes")
    text = PARAMS.read_text()
    PARAMS.write_text(text.replace("vectors: vectors/glove-6b", "vectors: zoo/zoo-cbow"))
    assert "tasks.sentiment.data.vectors refers to 'zoo/zoo-cbow', which does not exist" in refused("remove", "zoo")


@pytest.mark.parametrize("form", ["word2vec", "word2vec-binary", "glove"])
def test_gensim_reads_the_written_vectors(repository: Path, form: str) -> None:
    made = WordVectors(WordVocabulary(["lion", "bear"], [2, 1]), np.random.default_rng(0).normal(size=(2, 3)).astype("f4"), {})
    made.save(repository / "build/vectors/vectors/cbow")
    run("write-vectors", "cbow", "out.vec", "--format", form)
    binary, no_header = form == "word2vec-binary", form == "glove"
    theirs = KeyedVectors.load_word2vec_format("out.vec", binary=binary, no_header=no_header)
    assert theirs.index_to_key == ["lion", "bear"]
    np.testing.assert_array_equal(theirs.vectors, made.matrix)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cbow", "out.vec"], "build/vectors/vectors/cbow/provenance.json is missing; `dvc repro embed@cbow` makes it"),
        (["cbou", "out.vec"], "there is no method 'cbou'; did you mean 'cbow'?"),
        (["cbow", "out.vec", "--format", "word2vek"], "there is no format 'word2vek'; did you mean 'word2vec'?"),
    ],
)
def test_vectors_that_cannot_be_written_give_a_one_line_error(repository: Path, arguments: list[str], message: str) -> None:
    assert message in refused("write-vectors", *arguments)
    assert not (repository / "out.vec").exists()


def test_a_catalogue_data_set_can_be_combined_with_a_file(repository: Path) -> None:
    (repository / "data/embedded").symlink_to(ROOT / "data/embedded")
    (repository / "more.jsonl").write_text(
        "".join(json.dumps({"source": f"le mot {i} est ici", "target": f"the word {i} is here"}) + "\n" for i in range(200))
    )
    said = run(
        "new", "mixed", "--kind", "translation", "--data", "debian-fr-en", "--data", "more.jsonl", "--languages", "fr,en", "--yes"
    )
    assert "dropped" in said
    entry = load_catalogue(CATALOGUE)["mixed"]
    assert [source["file"] for source in entry.rows] == ["debian-bookworm-descriptions.fr-en.tsv.gz", "more.jsonl"]
    assert len(entry.files) == 2


def mails(folder: Path) -> list[str]:
    """A folder, with a space in its name, that has a folder of texts for each label."""
    for label, text in QUEUES.items():
        (folder / "our mails" / label).mkdir(parents=True)
        for i, thing in enumerate(THINGS):
            (folder / "our mails" / label / f"{i}.txt").write_text(text.format(thing))
    return ["our mails"]


def table(folder: Path) -> list[str]:
    pq.write_table(pa.Table.from_pylist(ROWS), folder / "tickets.parquet")
    return ["tickets.parquet"]


def lines_of_json(folder: Path) -> list[str]:
    with gzip.open(folder / "all tickets.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in ROWS)
    return ["all tickets.jsonl.gz"]


def two_tables(folder: Path) -> list[str]:
    for i in range(2):
        with (folder / f"part{i}.tsv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(ROWS[0]), delimiter="\t")
            writer.writeheader()
            writer.writerows(ROWS[i::2])
    return ["part0.tsv", "part1.tsv"]


ROWS = [{"text": text.format(thing), "label": label} for label, text in QUEUES.items() for thing in THINGS]


@pytest.mark.parametrize("write", [mails, table, lines_of_json, two_tables])
def test_the_download_stage_gets_the_inspected_files(repository: Path, write: Callable[[Path], list[str]]) -> None:
    data = [argument for name in write(repository) for argument in ("--data", name)]
    assert f"{len(ROWS)} rows" in run("new", "tickets", "--kind", "classification", "--units", "subwords", "--yes", *data)
    download("tickets", Backoff(attempts=1))
    entry = load_catalogue(CATALOGUE)["tickets"]
    found = [row for source in sources_of(entry, "tickets") for row in source.rows(RAW / "tickets")]
    assert sorted((row.text, row.label) for row in found) == sorted((row["text"], row["label"]) for row in ROWS)
    prepare_stage("tickets")
    rows = [json.loads((METRICS / "data/tickets.json").read_text())[f"{split}_rows"] for split in SPLITS]
    assert sum(rows) == len(ROWS)


def test_a_changed_file_is_detected_and_the_catalogue_updated(repository: Path) -> None:
    path = tickets(repository / "tickets.csv")
    run("new", "tickets", "--kind", "classification", "--data", str(path), "--yes")
    shutil.copyfile(path, repository / "other.csv")
    run("new", "neighbour", "--kind", "classification", "--data", "other.csv", "--yes")
    params = load_params()
    before = load_catalogue(CATALOGUE)["tickets"].files[0]
    check_files(params)
    with path.open("a") as file:
        file.write("one more;sales\n")
    with pytest.raises(StageError, match=f"sha256 {before.sha256} is now .*`seqline new tickets --update`"):
        check_files(params)
    assert before.sha256 in run("new", "tickets", "--update")
    check_files(params)
    after = load_catalogue(CATALOGUE)
    assert after["tickets"].files[0].size == path.stat().st_size
    assert after["neighbour"].files[0].size == before.size  # which had the same size as the changed file


def unequal(folder: Path) -> list[str]:
    (folder / "a.de").write_text("eins\nzwei\n")
    (folder / "a.en").write_text("one\n")
    return ["--kind", "translation", "--data", "a.de", "--data", "a.en"]


def one_label(folder: Path) -> list[str]:
    return ["--kind", "classification", "--data", str(tickets(folder / "t.csv", ["sales"]))]


def several_labels(folder: Path) -> list[str]:
    (folder / "t.jsonl").write_text('{"text": "a", "label": ["x", "y"]}\n')
    return ["--kind", "classification", "--data", "t.jsonl"]


def joined_labels(folder: Path) -> list[str]:
    (folder / "t.csv").write_text("text,label\na,x\nb,y\nc,x|y\n")
    return ["--kind", "classification", "--data", "t.csv"]


def rare_label(folder: Path) -> list[str]:
    path = tickets(folder / "t.csv")
    path.write_text(path.read_text() + "call me back,other\n".replace(",", ";"))
    return ["--kind", "classification", "--data", str(path)]


def repeated(folder: Path) -> list[str]:
    (folder / "t.csv").write_text("text,label\n" + "a b,x\nA b!,y\n" * 50)
    return ["--kind", "classification", "--data", "t.csv"]


def no_rows(folder: Path) -> list[str]:
    (folder / "t.csv").write_text("text,label\n")
    return ["--kind", "classification", "--data", "t.csv"]


def no_file(_: Path) -> list[str]:
    return ["--kind", "classification", "--data", "nothing.csv"]


def unknown_column(folder: Path) -> list[str]:
    return ["--kind", "classification", "--data", str(tickets(folder / "t.csv")), "--label", "queu"]


def no_label_column(folder: Path) -> list[str]:
    (folder / "t.csv").write_text("text,color\na,red\nb,blue\n")
    return ["--kind", "classification", "--data", "t.csv"]


def unknown_kind(folder: Path) -> list[str]:
    return ["--kind", "clasification", "--data", str(tickets(folder / "t.csv"))]


def unknown_units(folder: Path) -> list[str]:
    return ["--kind", "classification", "--units", "word", "--data", str(tickets(folder / "t.csv"))]


def unknown_format(folder: Path) -> list[str]:
    (folder / "t.xlsx").write_text("x")
    return ["--kind", "classification", "--data", "t.xlsx"]


def plain_http(_: Path) -> list[str]:
    return ["--kind", "classification", "--data", "http://example.org/t.csv"]


def same_names(folder: Path) -> list[str]:
    (folder / "other").mkdir()
    tickets(folder / "other/t.csv")
    return ["--kind", "classification", "--data", str(tickets(folder / "t.csv")), "--data", "other/t.csv"]


def columns_of_lines(folder: Path) -> list[str]:
    (folder / "t.txt").write_text("a\nb\n")
    return ["--kind", "generation", "--data", "t.txt", "--group", "who"]


def no_languages(folder: Path) -> list[str]:
    (folder / "t.csv").write_text("source,target\nDas Haus,the house\n")
    return ["--kind", "translation", "--data", "t.csv"]


def spaceless(folder: Path) -> list[str]:
    (folder / "t.txt").write_text("".join(f"{b}の犬は今日{p}にいます。\n" for b in "赤青白黒" for p in "庭森川家"))
    return ["--kind", "vectors", "--data", "t.txt"]


def unknown_method(folder: Path) -> list[str]:
    return ["--kind", "vectors", "--data", str(zoo(folder)), "--method", "glov"]


def no_answers(folder: Path) -> list[str]:
    return ["--kind", "vectors", "--data", str(zoo(folder)), "--method", "elmo"]


def few_words(folder: Path) -> list[str]:
    (folder / "t.txt").write_text("a b c\n")
    return ["--kind", "vectors", "--data", "t.txt"]


def method_of_a_task(folder: Path) -> list[str]:
    return ["--kind", "classification", "--data", str(tickets(folder / "t.csv")), "--method", "glove"]


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (spaceless, "the text has no spaces between words"),
        (unknown_method, "there is no method 'glov'; did you mean 'glove'?"),
        (no_answers, "elmo cannot answer questions about words; add another --method"),
        (few_words, "0 words occur 2 times or more; lower min_count, or take more text"),
        (method_of_a_task, "--method is only for word vectors"),
        (unequal, "a.de has 2 lines, but"),
        (one_label, "all rows have the label 'sales'; a classifier needs two"),
        (several_labels, "is several labels in one row"),
        (joined_labels, "'x|y' is several labels in one row"),
        (rare_label, "the label 'other' has 1 rows, and there are 3 splits"),
        (repeated, "rows 1 are distinct"),
        (no_rows, "has no rows"),
        (no_file, "nothing.csv: there is no such file"),
        (unknown_column, "has no column 'queu' for --label; did you mean 'queue'?"),
        (no_label_column, "cannot tell which column is the label; name it: --label NAME"),
        (unknown_kind, "there is no kind 'clasification'; did you mean 'classification'?"),
        (unknown_units, "does not support the units 'word'; did you mean 'words'?"),
        (unknown_format, "a name that ends in .xlsx has no known format"),
        (plain_http, "only https URLs are supported"),
        (same_names, "two files have the name t.csv; rename one"),
        (columns_of_lines, "t.txt has no named columns, so --group does not apply"),
        (no_languages, "add, for example, --languages de,en"),
    ],
)
def test_errors_are_one_line_and_nothing_is_written(repository: Path, prepare: Callable[[Path], list[str]], message: str) -> None:
    assert message in refused("new", "task", *prepare(repository), "--yes")


@pytest.mark.parametrize("name", ["surname", "reviews", "vectors", "glove-6b", "Tickets", "my_task", "-x-"])
def test_a_taken_or_invalid_name_is_an_error(repository: Path, name: str) -> None:
    path = str(tickets(repository / "t.csv"))
    line = refused("new", "--kind", "classification", "--data", path, "--yes", "--", name)
    assert "is taken" in line or "not a valid name" in line


def test_labels_that_differ_only_in_case_give_a_warning(repository: Path) -> None:
    path = tickets(repository / "t.csv")
    path.write_text(path.read_text() + "".join(f"{thing} costs;Sales\n" for thing in THINGS))
    said = run("new", "tickets", "--kind", "classification", "--data", str(path), "--yes")
    assert "'sales', 'Sales' differ only in case or white space" in said


def test_the_command_has_to_be_run_from_the_repository_root(tmp_path: Path) -> None:
    code = "from pipelines.verbs import app; app()"
    command = [sys.executable, "-c", code, "remove", "surname"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(ROOT)})
    assert done.returncode == 1
    assert done.stderr.strip() == "error: params.yaml not found; run seqline from the root of the repository"
