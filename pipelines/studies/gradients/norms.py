"""Stage `norms`: how far back a loss's gradient reaches, and what clipping does. `python -m pipelines.studies.gradients.norms`.

It uses the adding problem, whose loss is at the last step. Each cell is measured before training, with torch's default and with
chrono initialization, and again after training without clipping, with clipping by norm, and by value. One more subject,
`exploding`, is an RNN with large recurrent weights, trained by plain SGD.
"""

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from itertools import islice, product, takewhile
from math import inf, isfinite, log10
from statistics import fmean
from typing import Literal, cast, get_args

import torch
from joblib import Parallel, delayed
from torch import Tensor, nn
from torch.optim import SGD

from models.names import CellName
from models.readout import LastStateReadout
from models.recurrent.gradients import state_gradients
from models.recurrent.initialization import SIGNS
from pipelines.evaluation.findings import Report, Table
from pipelines.studies.gradients.figures import draw_curves, draw_norms
from pipelines.studies.gradients.findings import run_part
from pipelines.studies.gradients.settings import GradientsStudy
from pipelines.studies.gradients.tasks import Task, make_tasks
from pipelines.studies.gradients.training import Clipping, Step, new_model, stream, train

Subject = Literal["rnn", "lstm", "gru", "exploding"]
SUBJECTS: tuple[Subject, ...] = get_args(Subject)
CLIPPINGS: tuple[Clipping, ...] = get_args(Clipping)
Norms = Mapping[str, Sequence[float]]  # state -> norms by distance from the loss
Curve = Sequence[Step]


def norms_by_distance(model: LastStateReadout, task: Task, x: Tensor, targets: Tensor) -> Norms:
    """The norm of dL/dh_t, and for an LSTM of dL/dC_t, mean over the sequences.

    Args:
        model: not modified. A copy is evaluated in float64, since vanishing gradients soon underflow in float32.
        task: gives L, the loss of each sequence.
        x: [B, T, d].
        targets: [B].

    Returns:
        "h" and, for an LSTM, "C", with T numbers each: from h_T, at distance 0, to h_1.
    """
    answers, steps = deepcopy(model).double().traced(x.double())
    gradients = state_gradients(task.loss(answers, targets.double()).sum(), steps)
    return {name: gradient.norm(dim=2).mean(1).flip(0).tolist() for name, gradient in gradients.items()}


def look_untrained(subject: Subject, settings: GradientsStudy) -> dict[str, Norms]:
    """Norms by initialization: `torch` and, for gated cells, `chrono`, with which they are trained."""
    ways = {"torch": None, "chrono": settings.norms.length} if subject in SIGNS else {"torch": None}
    return {name: _look(_new(subject, settings, remember), settings) for name, remember in ways.items()}


def train_and_look(subject: Subject, clipping: Clipping, settings: GradientsStudy) -> tuple[Curve, Norms]:
    """Train with one kind of clipping; return the steps until the loss or its gradient became infinite, if ever, and the norms.

    The norms are empty if training diverged.
    """
    torch.set_num_threads(1)  # one process per core
    norms = settings.norms
    model = _new(subject, settings, norms.length)
    optimizer = SGD(model.parameters(), norms.exploding.learning_rate) if subject == "exploding" else None
    steps = train(model, _task(settings), norms.length, settings.train, norms.seed, clipping, optimizer)
    curve = list(takewhile(lambda step: isfinite(step.loss) and isfinite(step.norm), islice(steps, norms.steps)))
    return curve, _look(model, settings) if len(curve) == norms.steps else {}


def _task(settings: GradientsStudy) -> Task:
    return make_tasks(settings.tasks)["adding"]


def _new(subject: Subject, settings: GradientsStudy, remember: int | None) -> LastStateReadout:
    cell: CellName = "rnn" if subject == "exploding" else subject
    model = new_model(cell, _task(settings), settings.train.hidden_size, settings.norms.seed, remember=remember)
    if subject == "exploding":
        _, w_hh, *_ = cast(nn.RNNBase, model.recurrent.layers[0]).all_weights[0]
        w_hh.data.mul_(settings.norms.exploding.gain)
    return model


def _look(model: LastStateReadout, settings: GradientsStudy) -> Norms:
    """Norms of a model, always on the same sequences."""
    norms, task = settings.norms, _task(settings)
    return norms_by_distance(model, task, *task.draw(norms.sequences, norms.length, stream(norms.seed, "held out")))


def find(settings: GradientsStudy) -> Report:
    """Measure all subjects before training, and after training with each kind of clipping."""
    pairs = list(product(SUBJECTS, CLIPPINGS))
    jobs = (delayed(train_and_look)(subject, clipping, settings) for subject, clipping in pairs)
    trained = dict(zip(pairs, Parallel(n_jobs=settings.processes)(jobs), strict=True))
    looks: dict[tuple[str, str], Norms] = {
        (subject, condition): norms for subject in SUBJECTS for condition, norms in look_untrained(subject, settings).items()
    }
    looks |= {pair: norms for pair, (_, norms) in trained.items() if norms}
    rows = [row for pair, norms in looks.items() for row in _rows(*pair, norms)]
    window = settings.norms.window
    curves = [row for pair, (curve, _) in trained.items() for row in _windows(*pair, curve, window)]
    metrics = {_name(*pair): norms["h"][-1] / norms["h"][0] for pair, norms in looks.items()}
    metrics |= {f"finite_steps_exploding_{clipping}": len(trained["exploding", clipping][0]) for clipping in CLIPPINGS}
    tables = {"norms.csv": rows, "curves.csv": curves}
    return Report(metrics, tables, {"norms.png": draw_norms(rows), "curves.png": draw_curves(curves)})


def _name(subject: str, condition: str) -> str:
    """Metric name of the ratio of the gradient's norm at h_1 to that at h_T."""
    return f"gradient_ratio_{subject}" if condition == "torch" else f"gradient_ratio_{subject}_{condition}"


def _rows(subject: str, condition: str, norms: Norms) -> Table:
    """Rows with logarithms, since values are written with fixed decimals; -inf where saturated units block the gradient."""
    return [
        {
            "subject": subject,
            "state": state,
            "condition": condition,
            "distance": distance,
            "log10_norm": log10(norm) if norm else -inf,
        }
        for state, values in norms.items()
        for distance, norm in enumerate(values)
    ]


def _windows(subject: str, clipping: str, curve: Curve, size: int) -> Iterator[Mapping[str, str | int | float]]:
    """Steps in windows of `size`: the mean loss, and the largest norm of the gradient, since clipping targets the largest."""
    for start in range(0, len(curve), size):
        steps = curve[start : start + size]
        loss, norm = fmean(step.loss for step in steps), max(step.norm for step in steps)
        yield {"subject": subject, "clipping": clipping, "step": steps[-1].number, "loss": loss, "largest_norm": norm}


if __name__ == "__main__":
    run_part("norms", find)
