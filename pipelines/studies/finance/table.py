"""Study `finance`, stage `table`: comparison of the variants with each other and with baselines.

`python -m pipelines.studies.finance.table finance`.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from models.series.arrays import Values
from pipelines.evaluation.findings import Report, Table
from pipelines.evaluation.interval import interval
from pipelines.evaluation.walk_forward.comparison import by_date, compare
from pipelines.evaluation.walk_forward.losses import brier, log_loss, qlike
from pipelines.kinds.forecasting.evaluation.baselines import of_variance
from pipelines.kinds.forecasting.evaluation.rows import SplitRows
from pipelines.kinds.forecasting.settings import ForecastingTask
from pipelines.paths import PLOTS, PREPARED
from pipelines.report.record import Figures, record
from pipelines.settings.params import load_params
from pipelines.stage import run_stage
from pipelines.studies.finance.figures import Protocol, gate_figure, protocol_figure, year_figure
from pipelines.studies.finance.forecast import task_of
from pipelines.studies.finance.panel import Panel
from pipelines.studies.finance.settings import COMMAND, FOUND, NAME, FinanceStudy, settings
from pipelines.windows import Ids, Windows

PACKAGES = ("lightning-fabric", "scikit-learn", "torch")
SEED = 0  # of the bootstrap
CRISES = (2008, 2020)


@dataclass(frozen=True)
class Walked:
    """Output of the stage `forecast` for one variant.

    Attributes:
        ends: indices of the days in the prepared arrays, ascending, [N].
        forecasts: forecasts by seed, [S, N].
        rows: the data of these days.
    """

    ends: Ids
    forecasts: Values
    rows: SplitRows

    @classmethod
    def read(cls, name: str, study: FinanceStudy) -> "Walked":
        """Read the forecasts and sort the days by index, independent of the order of the refits."""
        found, prepared = np.load(FOUND / f"{name}.npz"), PREPARED / study.variant(name).task
        order = np.argsort(found["ends"])
        rows = SplitRows.of(Windows(prepared, "test").at(found["ends"][order]), prepared)
        return cls(found["ends"][order], found["forecasts"][:, order].astype(np.float64), rows)


def variance_figures(study: FinanceStudy) -> Iterator[tuple[str, Figures]]:
    """QLIKE of next-day variance relative to log-HAR, by cell, for the mean forecast of the seeds."""
    for name, suffix in (("volatility-rnn", ""), ("volatility-gru", "_gru"), ("volatility-lstm", "_lstm")):
        yield name, _against_har(study, name, suffix)


def attention_figures(study: FinanceStudy) -> Figures:
    """QLIKE of 5-day variance with attention, relative to no attention, uniform weights and log-HAR."""
    walked = {name: Walked.read(f"attention-{name}", study) for name in ("bahdanau", "uniform", "last")}
    losses = {name: _qlike(found) for name, found in walked.items()}
    rows, horizon = walked["last"].rows, task_of(study.variant("attention-last")).prepare.horizons[0]
    figures = _against_har(study, "attention-bahdanau", "_attention")
    for other, key in (("last", "attention_qlike"), ("uniform", "attention_over_uniform")):
        found = compare(losses["bahdanau"], losses[other], rows.times, horizon, SEED)
        figures |= {f"{key}_ratio": found.ratio, f"{key}_low": found.low, f"{key}_high": found.high, f"{key}_p": found.p}
    return figures | {"attention_stability": _stability()}


def _stability() -> float:
    """The mean correlation of two seeds' attention weights within a window; 1 means that they attend to the same days."""
    shares = np.load(FOUND / "attention-bahdanau.npz")["attention"].astype(np.float64)  # [S, N, L]
    centred = shares - shares.mean(2, keepdims=True)
    scaled = centred / np.linalg.norm(centred, axis=2, keepdims=True).clip(1e-12)
    return float(np.mean([(scaled[a] * scaled[b]).sum(1).mean() for a, b in combinations(range(len(scaled)), 2)]))


def _qlike(walked: Walked) -> Values:
    return qlike(walked.rows.targets[:, 0], walked.forecasts.mean(0))


def _against_har(study: FinanceStudy, name: str, suffix: str) -> Figures:
    walked, task = Walked.read(name, study), task_of(study.variant(name))
    valid = SplitRows.read(PREPARED / study.variant(name).task, "valid")
    came, har = walked.rows.targets[:, 0], of_variance(task, walked.rows, valid)["har"][:, 0]
    theirs = qlike(came, har)
    found = compare(_qlike(walked), theirs, walked.rows.times, task.prepare.horizons[0], SEED)
    single = interval(np.array([qlike(came, one).mean() / theirs.mean() for one in walked.forecasts]))
    return {
        f"qlike_over_har{suffix}": found.ratio,
        f"qlike_diff_low{suffix}": found.low,
        f"qlike_diff_high{suffix}": found.high,
        f"diebold_mariano_p{suffix}": found.p,
        f"one_seed_over_har{suffix}": single.mean,
        f"one_seed_over_har{suffix}_low": single.low,
        f"one_seed_over_har{suffix}_high": single.high,
    }


def regime_figures(study: FinanceStudy) -> tuple[Figures, Table]:
    """Brier skill of the seeds' mean probability over logistic HAR, refitted in the same way; also for crisis years."""
    figures, rows = Figures(), list[dict[str, str | int | float]]()
    for name, suffix in (("regimes-gru", ""), ("regimes-lstm", "_lstm")):
        walked, task = Walked.read(name, study), task_of(study.variant(name))
        came, probability = walked.rows.targets[:, 0], walked.forecasts.mean(0)
        har, share = _logistic(study, task, PREPARED / study.variant(name).task, walked)
        ours, theirs = brier(came, probability), brier(came, har)
        found = compare(ours, theirs, walked.rows.times, task.prepare.horizons[0], SEED)
        base = by_date(theirs, walked.rows.times).mean()
        figures |= {
            f"brier_skill_over_har{suffix}": 1 - found.ratio,
            f"brier_skill_low{suffix}": -found.high / base,
            f"brier_skill_high{suffix}": -found.low / base,
            f"brier_p{suffix}": found.p,
            f"brier_skill_over_climatology{suffix}": 1 - ours.mean() / brier(came, share).mean(),
            f"log_loss{suffix}": log_loss(came, probability).mean(),
            f"har_log_loss{suffix}": log_loss(came, har).mean(),
        }
        years = walked.rows.times.astype("datetime64[Y]").astype(int) + 1970
        figures |= {
            f"brier_skill_{year}{suffix}": 1 - ours[years == year].mean() / theirs[years == year].mean() for year in CRISES
        }
        if not suffix:
            rows = [_year(int(year), years == year, came, {"model": ours, "har": theirs}) for year in np.unique(years)]
    return figures, rows


def _logistic(study: FinanceStudy, task: ForecastingTask, prepared: Path, walked: Walked) -> tuple[Values, Values]:
    """Probabilities by logistic regression and by the past frequency, refitted like the networks, [N] each."""
    panel, ends = Panel.read(task, prepared), walked.ends
    har, share = np.empty(len(ends)), np.empty(len(ends))
    for refit in panel.refits(task, study.refit_every, study.valid_days):
        past = SplitRows.of(
            Windows(prepared, "test").at(np.concatenate([refit.train, refit.valid[:: task.prepare.stride]])), prepared
        )
        places = np.searchsorted(ends, refit.test)
        mean, deviation = past.linear.mean(0), past.linear.std(0)
        fitted = LogisticRegression(C=np.inf).fit((past.linear - mean) / deviation, past.targets[:, 0])
        har[places] = fitted.predict_proba((walked.rows.linear[places] - mean) / deviation)[:, 1]
        share[places] = past.targets[:, 0].mean()
    return har, share


def _year(year: int, some: NDArray[np.bool_], came: Values, losses: dict[str, Values]) -> dict[str, str | int | float]:
    means = {name: float(loss[some].mean()) for name, loss in losses.items()}
    return {"year": year, "days": int(some.sum()), "event_share": float(came[some].mean()), **means}


def gate_figures(names: Sequence[str]) -> tuple[Figures, dict[str, Values]]:
    """Change of the gate on the day of a break from its mean over the ten days before, and the cost of fixing the gate."""
    figures, curves = Figures(), dict[str, Values]()
    for name in names:
        found = json.loads((FOUND / f"gates-{name}.json").read_text(encoding="utf-8"))
        around = np.array([run["around"] for run in found["runs"]])  # [S, days]
        middle, cell = around.shape[1] // 2, name.removeprefix("regimes-")
        moved = interval(around[:, middle] - around[:, :middle].mean(1))
        cost = interval(np.array([run["brier_held"] / run["brier"] - 1 for run in found["runs"]]))
        curves[cell] = around
        figures |= {
            f"gate_change_{cell}": moved.mean,
            f"gate_change_{cell}_low": moved.low,
            f"gate_change_{cell}_high": moved.high,
        }
        figures |= {
            f"gate_held_cost_{cell}": cost.mean,
            f"gate_held_cost_{cell}_low": cost.low,
            f"gate_held_cost_{cell}_high": cost.high,
        }
        figures["regime_breaks"] = float(found["breaks"])
    return figures, curves


def protocols(study: FinanceStudy) -> list[Protocol]:
    """Protocols of the compared tasks."""
    found = list[Protocol]()
    for task in dict.fromkeys(variant.task for variant in study.variants.values()):
        prepare = load_params().task_of(task, ForecastingTask).prepare
        days = np.load(PREPARED / task / "times.npy").astype("datetime64[s]").astype("datetime64[D]")
        bounds = [np.datetime64(day) for day in (prepare.valid_from, prepare.test_from)]
        found.append(Protocol(task, days.min(), bounds[0], bounds[1], days.max(), max(prepare.horizons)))
    return found


def main(name: str) -> None:
    """Write benchmarks/results/finance.json and plots/studies/finance."""
    study, figures = settings(), Figures()
    for _, found in variance_figures(study):
        figures |= found
    figures |= attention_figures(study)
    regimes, years = regime_figures(study)
    gates, curves = gate_figures(["regimes-gru", "regimes-lstm"])
    figures_drawn = {"gates.png": gate_figure(curves), "years.png": year_figure(years)}
    report = Report({}, {"years.csv": years}, {**figures_drawn, "protocol.png": protocol_figure(protocols(study))})
    report.write_plots(PLOTS / "studies" / name)
    record(NAME, COMMAND, PACKAGES, {**figures, **regimes, **gates, "seeds": float(len(study.seeds))})


if __name__ == "__main__":
    run_stage(main)
