"""Stage `memory`: which networks learn to remember for T steps. `python -m pipelines.studies.gradients.memory`.

There is one network per task, cell, length and seed. Each trains until it solves its task on held-out sequences or reaches the
maximum number of steps. After an interruption, finished runs are not repeated.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby, islice, product
from pathlib import Path
from statistics import fmean

import torch
from joblib import Parallel, delayed
from rich.console import Console
from torch import Generator

from models.names import CellName
from models.readout import LastStateReadout
from models.text.json_files import write_json
from pipelines.evaluation.findings import Report
from pipelines.paths import CHECKPOINTS
from pipelines.settings.section import Section
from pipelines.studies.gradients.figures import draw_shares
from pipelines.studies.gradients.findings import run_part
from pipelines.studies.gradients.settings import CELLS, FILE, NAME, GradientsStudy
from pipelines.studies.gradients.tasks import Task, make_tasks
from pipelines.studies.gradients.training import new_model, stream, train
from pipelines.training.checkpoints import fingerprint, forget

UNFINISHED = CHECKPOINTS / NAME
CODE = ("memory.py", "settings.py", "tasks.py", "training.py")  # files of this study that a run's outcome depends on
AT_ONCE = 100  # batch size of held-out sequences: a thousand of 400 steps would take hundreds of megabytes
Row = dict[str, str | int | float]

console = Console(emoji=False, soft_wrap=True)


class Run(Section):
    """A network to train."""

    task: str
    cell: CellName
    length: int
    seed: int


class Outcome(Run):
    """Result of a run.

    Attributes:
        solved: whether it solved its task.
        steps: number of training steps until it was solved, or the maximum.
        score: mean squared error or accuracy on the last held-out sequences.
    """

    solved: bool
    steps: int
    score: float


def solve(run: Run, settings: GradientsStudy) -> Outcome:
    """Train until the task is solved, or for the maximum number of steps. Every check uses new held-out sequences."""
    torch.set_num_threads(1)  # one process per core
    task, memory = make_tasks(settings.tasks)[run.task], settings.memory
    model = new_model(run.cell, task, settings.train.hidden_size, run.seed, remember=run.length)
    training, held_out = train(model, task, run.length, settings.train, run.seed), stream(run.seed, "held out")
    steps, score = 0, task.chance
    while steps < memory.steps and not task.solved(score):
        steps += sum(1 for _ in islice(training, memory.check_every))
        score = measure(model, task, run.length, memory.held_out, held_out)
    return Outcome(**run.model_dump(), solved=task.solved(score), steps=steps, score=score)


@torch.no_grad()
def measure(model: LastStateReadout, task: Task, length: int, sequences: int, draws: Generator) -> float:
    """The task's score on new sequences."""
    x, targets = task.draw(sequences, length, draws)
    return task.score(torch.cat([model(part) for part in torch.split(x, AT_ONCE)]), targets)


def solve_all(runs: Iterable[Run], settings: GradientsStudy, folder: Path) -> list[Outcome]:
    """The outcomes of all runs.

    Args:
        runs: networks to train.
        settings: see params.yaml.
        folder: folder of the outcomes so far; it must not be shared between different settings or code.
    """
    folder.mkdir(parents=True, exist_ok=True)
    outcomes = []
    for outcome in Parallel(n_jobs=settings.processes, return_as="generator_unordered")(
        delayed(_solve_once)(run, settings, folder) for run in runs
    ):
        console.print(f"{NAME}: " + "  ".join(f"{name} {value}" for name, value in outcome), highlight=False, soft_wrap=True)
        outcomes.append(outcome)
    return outcomes


def _solve_once(run: Run, settings: GradientsStudy, folder: Path) -> Outcome:
    path = folder / f"{run.task}{run.length}-{run.cell}-{run.seed}.json"
    if not path.exists():
        write_json(path, solve(run, settings).model_dump())
    return Outcome.model_validate_json(path.read_text(encoding="utf-8"))


def _order(outcome: Outcome) -> tuple[str, int, int, int]:
    return outcome.task, CELLS.index(outcome.cell), outcome.length, outcome.seed


def summarize(outcomes: Sequence[Outcome]) -> list[Row]:
    """By task, cell and length: the share of seeds that solved the task, and their mean number of steps."""
    rows: list[Row] = []
    for (task, cell, length), runs in groupby(sorted(outcomes, key=_order), lambda run: (run.task, run.cell, run.length)):
        group = list(runs)
        steps = [run.steps for run in group if run.solved]
        row = {"task": task, "cell": cell, "length": length, "seeds": len(group), "solved": len(steps) / len(group)}
        rows.append({**row, "steps": fmean(steps) if steps else ""})
    return rows


def find(settings: GradientsStudy) -> Report:
    """Train all networks and count those that solve their tasks."""
    memory = settings.memory
    # Longest sequences first, so that no process is left with a long run at the end.
    axes = product(sorted(memory.lengths, reverse=True), make_tasks(settings.tasks), CELLS, memory.seeds)
    runs = [Run(task=task, cell=cell, length=length, seed=seed) for length, task, cell, seed in axes]
    depends_on = [part.model_dump_json() for part in (settings.tasks, settings.train, memory)]
    depends_on += [FILE.with_name(name).read_text(encoding="utf-8") for name in CODE]
    attempt = UNFINISHED / fingerprint(depends_on, FILE.parent)
    outcomes = sorted(solve_all(runs, settings, attempt), key=_order)
    rows = summarize(outcomes)
    metrics = {f"{row['task']}{row['length']}_solved_{row['cell']}": float(row["solved"]) for row in rows}
    tables = {"runs.csv": [outcome.model_dump() for outcome in outcomes], "solved.csv": rows}
    return Report({**metrics, "seeds": len(memory.seeds)}, tables, {"solved.png": draw_shares(rows)})


if __name__ == "__main__":
    run_part("memory", find)
    forget(UNFINISHED)
