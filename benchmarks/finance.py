"""Econometric forecasts for comparison with ours: `python -m benchmarks.finance [part ...]`, all parts by default.

- garch: GARCH(1,1) with Student's t errors from the package arch, refitted every 22 days on the last 1,000 days and rescaled to
  the range-based variance. Result: next-day QLIKE relative to log-HAR, over both indices.
- hmm: a two-state Gaussian Markov switching model of each stock's returns (statsmodels). It is fitted before the test period and
  filtered through it, never smoothed. A logistic regression on the probability of the high-variance state is fitted before the
  test period, too. Result: Brier skill over logistic HAR.
- stages: sum of the seconds of the five tasks' stages, each beside other stages, as measured by `benchmarks.pipeline repro`.
- alone: wall time of these stages without any others, as many side by side as there are cores.

Run `make repro` first: all parts read the data that its stages prepared.
"""

import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from arch import arch_model
from sklearn.linear_model import LogisticRegression
from statsmodels.tsa.regime_switching.markov_regression import MarkovRegression
from tqdm import tqdm

from benchmarks.parts import run_parts
from benchmarks.pipeline import fresh_clone, measure
from benchmarks.timing import stage_seconds
from models.series.arrays import Values
from pipelines.evaluation.walk_forward.comparison import compare
from pipelines.evaluation.walk_forward.folds import Fold, folds
from pipelines.evaluation.walk_forward.losses import brier, qlike
from pipelines.kinds.forecasting.evaluation.baselines import of_events, of_variance
from pipelines.kinds.forecasting.evaluation.rows import Part, SplitRows
from pipelines.kinds.forecasting.settings import ForecastingTask
from pipelines.paths import PREPARED
from pipelines.report.record import Figures
from pipelines.settings.params import load_params
from pipelines.windows import mapped, read_places

PACKAGES = ("arch", "scikit-learn", "statsmodels", "torch")
PERCENT = 100.0  # models are fitted to returns in percent: unscaled, the variance is too small for the optimizers
SEED = 0  # for the bootstrap


def compare_garch() -> Figures:
    """Compare the QLIKE of GARCH with that of log-HAR: their values, the ratio, and its p-value."""
    task, prepared = load_params().task_of("volatility", ForecastingTask), PREPARED / "volatility"
    test, valid = SplitRows.read(prepared, "test"), SplitRows.read(prepared, "valid")
    returns, places = mapped(prepared, "steps")[:, 1].astype(np.float64), read_places(prepared)
    found = np.empty(len(test.targets))
    for part in tqdm(test.parts, desc="garch", unit="series"):
        first, behind = places[part.name]
        cut = folds(
            part.times,
            first=task.prepare.test_from,
            every=task.evaluate.refit_every,
            horizon=1,
            window=task.evaluate.refit_on,
        )
        found[part.rows] = np.concatenate([_garch(PERCENT * returns[first:behind], part, fold) for fold in cut])
    came = test.targets[:, 0]
    theirs = qlike(came, of_variance(task, test, valid)["har"][:, 0])
    compared = compare(qlike(came, found), theirs, test.times, 1, SEED)
    return {
        "garch_qlike": float(qlike(came, found).mean()),
        "har_qlike": float(theirs.mean()),
        "garch_over_har": compared.ratio,
        "garch_over_har_p": compared.p,
    }


def _garch(returns: Values, part: Part, fold: Fold) -> Values:
    """Forecast from each test day of a fold: h_{t+1} = omega + alpha e_t^2 + beta h_t, scaled to the range-based variance.

    The scale is the ratio of the mean range-based variance to the mean GARCH variance in training.
    """
    train = slice(fold.train.start, fold.train.stop)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fit that has not converged is used as it is
        result = arch_model(returns[train], vol="GARCH", p=1, q=1, dist="t").fit(disp="off", show_warning=False)
    omega, alpha, beta = (float(result.params[name]) for name in ("omega", "alpha[1]", "beta[1]"))
    errors = returns - float(result.params["mu"])
    variance = float(result.conditional_volatility[-1] ** 2)
    scale = part.values[train].mean() / (result.conditional_volatility**2).mean()
    found = []
    for day in range(fold.train.stop - 1, fold.test.stop):
        variance = omega + alpha * errors[day] ** 2 + beta * variance  # for the next day
        if day >= fold.test.start:
            found.append(variance * scale)
    return np.array(found)


def compare_regimes() -> Figures:
    """Measure the Brier skill of a filtered hidden Markov model over logistic regression on past means."""
    task, prepared = load_params().task_of("regimes", ForecastingTask), PREPARED / "regimes"
    train, test = SplitRows.read(prepared, "train"), SplitRows.read(prepared, "test")
    wild = np.empty(len(mapped(prepared, "steps")))
    for first, behind, begin in _stocks(prepared, test):
        wild[first:behind] = _filtered(PERCENT * np.diff(np.log(mapped(prepared, "raw")[first:behind, 0]), prepend=np.nan), begin)
    ends = {split: np.load(prepared / f"{split}.npy") for split in ("train", "test")}
    fitted = LogisticRegression(C=np.inf).fit(wild[ends["train"], None], train.targets[:, 0])
    came = test.targets[:, 0]
    ours = brier(came, fitted.predict_proba(wild[ends["test"], None])[:, 1])
    theirs = brier(came, of_events(train, test)["har"][:, 0])
    compared = compare(ours, theirs, test.times, task.prepare.horizons[0], SEED)
    return {"hmm_brier": float(ours.mean()), "hmm_skill_over_har": 1 - compared.ratio, "hmm_skill_over_har_p": compared.p}


def _stocks(prepared: Path, test: SplitRows) -> Iterator[tuple[int, int, int]]:
    """Yield for each stock its first row, its end row (exclusive), and its number of days before the test period."""
    begin = test.times.min()
    for part in tqdm(test.parts, desc="hmm", unit="stock"):
        first, behind = read_places(prepared)[part.name]
        yield first, behind, int(np.searchsorted(part.times, begin))


def _filtered(returns: Values, begin: int) -> Values:
    """Return P(high-variance state | returns up to each day), with parameters fitted on the days before `begin`."""
    returns = np.nan_to_num(returns)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        known = MarkovRegression(returns[:begin], k_regimes=2, switching_variance=True).fit(disp=False)
        all_days = MarkovRegression(returns, k_regimes=2, switching_variance=True).filter(known.params)
    variances = [float(known.params[i]) for i, name in enumerate(known.model.param_names) if name.startswith("sigma2")]
    probabilities: Values = np.asarray(all_days.filtered_marginal_probabilities)[:, int(np.argmax(variances))]
    return probabilities


TASKS = ("volatility", "attention", "regimes", "execution", "comovers", "tickers-skip-gram", "tickers")


def time_stages() -> Figures:
    """Sum the seconds of the stages of the five tasks, as measured by `benchmarks.pipeline repro`."""
    return stage_seconds(TASKS)


def time_alone() -> Figures:
    """Measure the wall time of `make repro` for these tasks alone, in a fresh clone with the environment in place."""
    params = load_params()
    packaged = [f"package@{name}" for name in params.tasks if name in TASKS]
    packaged += [f"package-vectors@{name}" for name in params.vectors if name in TASKS]
    environment = (f"VENV={sys.prefix}", f"--old-file={sys.prefix}/.installed")
    with fresh_clone() as clone:
        cost = measure(["make", "repro", f"STAGES={' '.join(packaged)}", *environment], clone)
    return {"stages_alone_s": cost.seconds}


PARTS: dict[str, Callable[[], Figures]] = {
    "garch": compare_garch,
    "hmm": compare_regimes,
    "stages": time_stages,
    "alone": time_alone,
}


if __name__ == "__main__":
    run_parts("finance", "Compare market forecasts with econometric models.", PARTS, PACKAGES)
