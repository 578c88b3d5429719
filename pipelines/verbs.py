"""The `seqline` commands of the pipeline: new, remove, repro, promote, retrain, watch, lineage, write-vectors.

Each imports its modules when it runs, so that the other commands start quickly.
"""

import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import wraps
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ParamSpec, TypeVar

import typer
from rich.console import Console
from rich.markup import escape

from pipelines.paths import CATALOGUE, PARAMS
from pipelines.stage import StageError, fail
from serving.server.errors import ControlError

if TYPE_CHECKING:
    from pipelines.new.wish import Made

app = typer.Typer(no_args_is_help=True)
console = Console(highlight=False, soft_wrap=True, emoji=False)
Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
INSTANCE = Path(".serving")

Name = Annotated[str, typer.Argument(help="The task's name: lowercase letters, digits and hyphens; part of its URL.")]

Instance = Annotated[Path, typer.Option(help="The server's own folder.")]


def clear(command: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Turn errors that the user can fix into one line and exit status 1."""

    @wraps(command)
    def run(*arguments: Arguments.args, **options: Arguments.kwargs) -> Result:
        for path in (PARAMS, CATALOGUE):
            if not path.exists():
                fail(f"{path} not found; run seqline from the root of the repository")
        try:
            return command(*arguments, **options)
        except (StageError, ControlError) as error:
            fail(str(error))
            raise

    return run


@app.command()
@clear
def new(
    name: Name,
    kind: Annotated[str, typer.Option(help="classification, forecasting, generation, translation or vectors.")] = "",
    data: Annotated[
        list[str] | None, typer.Option(help="A file, a folder, an https URL or a catalogue id; repeat it to mix several.")
    ] = None,
    text: Annotated[str, typer.Option(help="The text column.")] = "",
    label: Annotated[str, typer.Option(help="The label column.")] = "",
    source: Annotated[str, typer.Option(help="The column in the source language.")] = "",
    target: Annotated[str, typer.Option(help="The column in the target language, or the column to forecast.")] = "",
    inputs: Annotated[
        list[str] | None, typer.Option(help="An additional numeric input column for forecasting; repeatable.")
    ] = None,
    languages: Annotated[str, typer.Option(help="The tags of source and target language, such as de,en.")] = "",
    group: Annotated[str, typer.Option(help="A column: rows with the same value stay in one split, or form one series.")] = "",
    split: Annotated[str, typer.Option(help="A column that says train, valid or test.")] = "",
    time: Annotated[
        str, typer.Option(help="A column of times: the latest rows become the test split. Required for series.")
    ] = "",
    units: Annotated[str, typer.Option(help="characters, subwords or words.")] = "",
    method: Annotated[
        list[str] | None,
        typer.Option(help="For word vectors: skip_gram, cbow, fasttext, glove, elmo, ngram_lm or one_hot; repeatable."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Accept all proposals without asking.")] = False,
    update: Annotated[bool, typer.Option("--update", help="Register changed files of an existing task.")] = False,
) -> None:
    """Create a task or word vectors from your data: inspect it, then add blocks to params.yaml and an entry to the catalogue."""
    from pipelines.new.blocks import write_both
    from pipelines.new.changing import take_in
    from pipelines.new.making import make
    from pipelines.new.wish import Wish

    if update:
        lines = take_in(name)
        console.print("\n".join(lines) or "no file has changed", markup=False)
        return
    if not data:
        raise StageError("name the data: --data FILE")
    given = {"text": text, "label": label, "source": source, "target": target, "group": group, "split": split, "time": time}
    columns = {column: theirs for column, theirs in given.items() if theirs}
    tags = languages.split(",") if languages else ()
    wish = Wish(name, kind or _kind(columns, data, yes=yes), data, columns, units, tags, method or (), inputs or ())
    made = make(wish)
    _tell(made)
    if not yes and sys.stdin.isatty() and not typer.confirm(f"Write this to {PARAMS} and {CATALOGUE}?", default=True):
        raise typer.Exit(1)
    write_both({PARAMS: made.params, CATALOGUE: made.catalogue})
    console.print(f"[bold]{name}[/] is in {PARAMS} now. Next:")
    for command in (f"seqline repro {name}", "make serve", f"seqline ask {name} {made.example}"):
        console.print(f"  {command}", markup=False)


@app.command()
@clear
def remove(name: Name) -> None:
    """Undo `new`: remove a task or word vectors, their data set and everything built from them."""
    from pipelines.new.changing import take_out

    take_out(name)
    console.print(f"{name} is gone from {PARAMS}", markup=False)


@app.command()
@clear
def repro(name: Name) -> None:
    """Train, export, evaluate, register and package one task or block of word vectors, with its dependencies."""
    from pipelines.repro.preflight import check
    from pipelines.settings.errors import closest
    from pipelines.settings.params import load_params

    params = load_params()
    stage = "package-vectors" if name in params.vectors else "package"
    if name not in params.served:
        raise StageError(f"there is no task {name!r}{closest(name, params.served)}")
    check()
    command = [sys.executable, "-m", "pipelines.repro.side_by_side", f"{stage}@{name}"]
    raise typer.Exit(subprocess.run(command, check=False).returncode)  # noqa: S603 - this interpreter


@app.command()
@clear
def promote(
    model: Annotated[str, typer.Argument(help="TASK for its challenger, or TASK@VERSION.")],
    force: Annotated[str | None, typer.Option(metavar="REASON", help="Promote it without a comparison.")] = None,
    reject: Annotated[str | None, typer.Option(metavar="REASON", help="Take the challenger out of the running.")] = None,
    back: Annotated[str | None, typer.Option(metavar="REASON", help="Make the former champion the champion again.")] = None,
) -> None:
    """Compare a challenger with the champion on the same test rows, and make it the champion if the gate in params.yaml holds."""
    from pipelines.promotion.names import CHALLENGER
    from pipelines.promotion.promote import Promotion
    from pipelines.settings.params import load_params
    from pipelines.tracking.runs import tracking_uri

    given = [reason for reason in (force, reject, back) if reason is not None]
    if len(given) > 1:
        raise StageError("--force, --reject and --back exclude each other")
    if not all(reason.strip() for reason in given):
        raise StageError("--force, --reject and --back take a reason, which is written down")
    task, _, which = model.partition("@")
    if which and (reject or back):
        raise StageError(f"--reject is about the challenger and --back about the former champion: give {task} without @{which}")
    promotion = Promotion(task, load_params(), tracking_uri())
    if reject:
        decision = promotion.reject(reject)
    elif back:
        decision = promotion.back(back)
    elif force:
        decision = promotion.force(which or CHALLENGER, force)
    else:
        decision = promotion.promote(which or CHALLENGER)
    for check in decision.checks:
        console.print(f"{'[green]holds[/]' if check.holds else '[red]fails[/]'} {escape(check.reason)}")
    console.print(f"[bold]{task} {decision.version} {decision.verdict}[/]: {escape(decision.reason)}")
    raise typer.Exit(1 if decision.verdict == "held" else 0)


@app.command()
@clear
def retrain(name: Name, instance: Instance = INSTANCE) -> None:
    """Train a task on its old rows and on feedback, or on its changed files; if the gate holds, open the model as a shadow."""
    from pipelines.retraining.retrain import retrain
    from pipelines.tracking.runs import tracking_uri

    found = retrain(name, instance, tracking_uri(), "asked for")
    console.print(f"{name} {found.decision.version}, {found.rows} new rows: {found.decision.verdict}", markup=False)
    console.print(found.decision.reason, markup=False)
    console.print(f"`seqline shadow {name}` compares its answers" if found.shadow else "it is not open as a shadow")


@app.command()
@clear
def watch(
    instance: Instance = INSTANCE,
    listen: Annotated[str, typer.Option(metavar="ADDRESS:PORT", help="Where Alertmanager sends its alerts.")] = "127.0.0.1:9094",
    every: Annotated[float, typer.Option(metavar="HOURS", min=0.1, help="Also train at this interval.")] = float("inf"),
    task: Annotated[
        list[str] | None, typer.Option(help="A task to train at the interval; default: all classifiers and translators.")
    ] = None,
) -> None:
    """Wait for alerts about drift, and train the tasks that they are about again, as `retrain` does."""
    from pipelines.retraining.watch import serve
    from pipelines.tracking.runs import tracking_uri

    if isnan(every):  # typer compares it with the smallest value only, and every comparison is false
        raise typer.BadParameter("nan is not a number of hours", param_hint="--every")
    serve(listen, instance, tracking_uri(), every, task or [])


@app.command("write-vectors")
@clear
def write_vectors(
    method: Annotated[str, typer.Argument(help="A block of `methods` in params.yaml whose vectors exist.")],
    file: Annotated[Path, typer.Argument(help="The file to write.")],
    form: Annotated[str, typer.Option("--format", help="word2vec, word2vec-binary or glove.")] = "word2vec",
) -> None:
    """Write word vectors in the format of another tool: word2vec's text or binary format, or GloVe's text."""
    from models.text.vector_files import VectorFileError, write_binary, write_glove, write_text
    from models.text.vectors import WordVectors
    from pipelines.paths import VECTORS
    from pipelines.settings.errors import closest
    from pipelines.settings.params import load_params

    formats = {"word2vec": write_text, "word2vec-binary": write_binary, "glove": write_glove}
    if form not in formats:
        raise StageError(f"there is no format {form!r}{closest(form, formats)}")
    folder = VECTORS / load_params().method(method).vectors / method
    try:
        vectors = WordVectors.load(folder)
    except FileNotFoundError as error:
        raise StageError(
            f"{error.filename} is missing; `dvc repro embed@{method}` makes it, unless the method is one-hot"
        ) from error
    try:
        formats[form](vectors, file)
    except (OSError, VectorFileError) as error:
        raise StageError(f"{file}: {error}") from error
    console.print(f"{file}: {len(vectors.vocabulary):,} words, {vectors.matrix.shape[1]} values each", markup=False)


@app.command()
@clear
def lineage(
    what: Annotated[
        str,
        typer.Argument(
            metavar="ANSWER|MODEL|RUN|DATA|ROW",
            help="An answer's X-Request-Id or X-Model-Version; TASK@VERSION; a run's id; a digest or name of data; or a text.",
        ),
    ],
    row: Annotated[bool, typer.Option("--row", help="It is the input of a row of the training data.")] = False,
    answer: Annotated[str, typer.Option(help="The row's label or translation, or the name of its series.")] = "",
    task: Annotated[str, typer.Option(help="Look at the models of this task only.")] = "",
    instance: Instance = INSTANCE,
    as_json: Annotated[bool, typer.Option("--json", help="Print nodes and edges as JSON.")] = False,
    picture: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a picture, such as lineage.png.")] = None,
) -> None:
    """Show what an answer, a model or data was made from, and what was made from it: down to commits and data, and back."""
    from pipelines.lineage.nodes import Sources
    from pipelines.lineage.trace import trace, trace_row
    from pipelines.lineage.tree import tree

    sources = Sources.here(instance)
    graph = trace_row(sources, what, answer, task) if row or answer else trace(sources, what, task)
    if picture:
        from pipelines.lineage.picture import draw

        try:
            draw(graph, picture)
        except (OSError, ValueError) as error:
            raise StageError(f"the picture {picture} cannot be written: {error}") from error
    if as_json:
        console.print(graph.model_dump_json(indent=1), markup=False)
    else:
        console.print(tree(graph), soft_wrap=False)


def _kind(columns: Mapping[str, str], data: list[str], *, yes: bool) -> str:
    """The kind of task: what the columns suggest, confirmed by the user unless `yes`."""
    if {"time", "target"} <= columns.keys() and "source" not in columns:
        proposed = "forecasting"
    elif {"source", "target"} & columns.keys() or any(Path(one).suffix == ".tmx" for one in data):
        proposed = "translation"
    elif all(Path(one.removesuffix(".gz")).suffix == ".txt" for one in data):
        proposed = "translation" if len(data) == 2 else "generation"
    else:
        proposed = "classification"
    if yes:
        return proposed
    from pipelines.kinds.blocks import kinds

    if not sys.stdin.isatty():
        raise StageError(f"choose the kind of task: --kind {' | '.join(kinds())}; it looks like {proposed}, which --yes accepts")
    return str(typer.prompt(f"Kind of task ({', '.join(kinds())})", default=proposed))


def _tell(made: "Made") -> None:
    """Print findings and warnings."""
    for line in made.found:
        console.print(line, markup=False)
    for warning in made.warnings:
        console.print(f"[yellow]warning:[/] {escape(warning)}")
