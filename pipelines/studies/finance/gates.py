"""Study `finance`, stage `gates`: whether gates forget the past when a regime breaks.

`python -m pipelines.studies.finance.gates VARIANT`, for a variant with a GRU or an LSTM.
"""

from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.forecasting.forecaster import Forecaster
from models.forecasting.member import Member
from models.text.json_files import write_json
from pipelines.evaluation.walk_forward.losses import brier
from pipelines.paths import PREPARED
from pipelines.stage import StageError, run_stage
from pipelines.studies.finance.forecast import fitted, task_of
from pipelines.studies.finance.panel import Panel, Refit
from pipelines.studies.finance.settings import FOUND, settings
from pipelines.training.batches import PaddedRows
from pipelines.windows import Ids, Windows, mapped, read_places

SHOCK = 3.0  # a larger return, in units of the root of the threshold, breaks a regime, unless the month before has one, too
QUIET = 22  # days
AROUND = 10  # days before and after
THINNED = 7  # every 7th test day is scored: neighbouring days are nearly the same
ROWS = 4096


def keep_gates(member: Member, days: Tensor, fixed: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The gate that keeps the past, z_t of a GRU or f_t of an LSTM; see models.recurrent.cells.

    Args:
        member: a member with one layer.
        days: normalized, [B, L, F].
        fixed: values that replace the gate, [H]; None keeps the gate itself.

    Returns:
        the gate [B, L, H], and the last state h_L [B, H].
    """
    w_ih, w_hh, b_ih, b_hh = member.recurrent.weights(0)
    size, lstm = member.recurrent.hidden_size, member.recurrent.cell == "lstm"
    h, c, kept = days.new_zeros(len(days), size), days.new_zeros(len(days), size), list[Tensor]()
    for x in days.unbind(1):
        inputs, recurrent = x @ w_ih.T + b_ih, h @ w_hh.T + b_hh
        if lstm:
            i, f, g, o = (inputs + recurrent).chunk(4, -1)
            keep = torch.sigmoid(f) if fixed is None else fixed.expand_as(f)
            c = keep * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
        else:
            (x_r, x_z, x_n), (h_r, h_z, h_n) = inputs.chunk(3, -1), recurrent.chunk(3, -1)
            keep = torch.sigmoid(x_z + h_z) if fixed is None else fixed.expand_as(x_z)
            h = (1 - keep) * torch.tanh(x_n + torch.sigmoid(x_r + h_r) * h_n) + keep * h
        kept.append(keep)
    return torch.stack(kept, 1), h


def breaks(steps: NDArray[np.float32], first: int, behind: int) -> Ids:
    """Indices of a series' days on which a regime breaks: a large move after a quiet month."""
    large = np.abs(steps[first:behind, 1]) > SHOCK
    quiet = np.convolve(large, np.ones(QUIET), "full")[: len(large)] - large == 0
    return first + np.flatnonzero(large & quiet)


def around_breaks(member: Member, model: Forecaster, rows: Windows, found: Ids) -> NDArray[np.float64]:
    """The mean gate on the days around each break, [breaks, 2 * AROUND + 1]."""
    days = PaddedRows(rows.at(found + AROUND))[list(range(len(found)))]["days"]
    keep, _ = keep_gates(member, (days - model.step_mean) / model.step_deviation)
    last = keep.shape[1] - AROUND - 1  # index of the break in the window
    return keep[:, last - AROUND : last + AROUND + 1].mean(2).double().numpy()


def ablated(model: Forecaster, member: Member, rows: Windows, train: Ids, test: Ids) -> tuple[float, float]:
    """Brier scores of the model, and of the model with the gate fixed at its mean over the training days."""
    normal = (model.step_mean, model.step_deviation)
    sample = PaddedRows(rows.at(train))[list(range(0, len(train), max(1, len(train) // ROWS)))]["days"]
    mean = keep_gates(member, (sample - normal[0]) / normal[1])[0].mean((0, 1))
    batch = PaddedRows(rows.at(test))[list(range(len(test)))]
    days, linear = (batch["days"] - normal[0]) / normal[1], (batch["linear"] - model.linear_mean) / model.linear_deviation
    scores = []
    for fixed in (None, mean):
        _, state = keep_gates(member, days, fixed)
        probability = torch.sigmoid(member.output(state) + member.linear(linear))[:, 0]
        scores.append(float(brier(batch["target"][:, 0].double().numpy(), probability.double().numpy()).mean()))
    return scores[0], scores[1]


def breaks_of(prepared: Path, test: Ids) -> Ids:
    """Breaks of all series in the test period that have test windows AROUND days later as well."""
    steps, known = mapped(prepared, "steps"), set(test.tolist())
    found = [breaks(np.asarray(steps), first, behind) for first, behind in read_places(prepared).values()]
    return np.array([day for day in np.concatenate(found).tolist() if day in known and day + AROUND in known], np.int64)


@torch.no_grad()
def _measured(model: Forecaster, rows: Windows, refit: Refit, test: Ids, found: Ids) -> dict[str, float | list[float]]:
    member = cast(Member, model.members[0])
    around = around_breaks(member, model, rows, found)
    score, held = ablated(model, member, rows, refit.train, test)
    return {"around": around.mean(0).tolist(), "brier": score, "brier_held": held}


def main(name: str) -> None:
    """Write build/studies/finance/gates-VARIANT.json: per seed, the gate around breaks, and Brier scores with and without it."""
    study = settings()
    variant = study.variant(name)
    if variant.cell not in ("gru", "lstm"):
        raise StageError(f"{variant.cell} has no gate that keeps the past; choose a variant with a GRU or an LSTM")
    task, prepared = task_of(variant), PREPARED / variant.task
    panel = Panel.read(task, prepared)
    refit = next(panel.refits(task, study.refit_every, study.valid_days))
    test = panel.ends[panel.times >= np.datetime64(task.prepare.test_from)]
    rows = Windows(prepared, "train")
    found = breaks_of(prepared, test)
    runs = [_measured(fitted(task, prepared, refit, seed), rows, refit, test[::THINNED], found) for seed in study.seeds]
    write_json(FOUND / f"gates-{name}.json", {"breaks": len(found), "runs": runs})


if __name__ == "__main__":
    run_stage(main)
