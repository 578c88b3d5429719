"""Hyperparameter search for a task: `python -m pipelines.sweep NAME`, configured by pipelines/sweep/NAME.yaml.

Each trial trains with different values of some keys on the output of stage `prepare`. Its score is its lowest validation loss; no
trial sees the test split. The best values become a profile, profiles/best-NAME.txt. An interrupted sweep resumes, with the same
result as without the interruption.
"""

import hashlib
from pathlib import Path

import optuna
from optuna.pruners import MedianPruner
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial, Trial, TrialState
from rich.console import Console

from pipelines.paths import CHECKPOINTS, PREPARED
from pipelines.settings.errors import closest
from pipelines.settings.params import Params, load_params, read_settings
from pipelines.stage import StageError
from pipelines.sweep.settings import Sweep
from pipelines.sweep.space import Space, shortened
from pipelines.tracking.runs import StageRun, mark_best, track
from pipelines.training.begin import begin, identity
from pipelines.training.checkpoints import forget
from pipelines.training.fit import fit
from pipelines.training.work import Row

SWEEPS = Path("pipelines/sweep")
PROFILES = Path("profiles")
STUDIES = CHECKPOINTS / "sweeps"  # Optuna's studies, one file per sweep
ENDED = (TrialState.COMPLETE, TrialState.PRUNED)

console = Console(emoji=False, soft_wrap=True)


class Search:
    """The trials of one sweep, including those of interrupted runs.

    Args:
        name: name of the sweep.
        sweep: its settings.
        space: its search space.
        study: storage of its trials.
    """

    def __init__(self, name: str, sweep: Sweep, space: Space, study: optuna.Study) -> None:
        self._name, self._sweep, self._space, self._study = name, sweep, space, study
        self._failure = "ran in an earlier attempt"
        self._group = f"sweep {name} {study.study_name}"

    def run(self) -> FrozenTrial:
        """Run the missing trials.

        Returns:
            the trial with the lowest validation loss.

        Raises:
            StageError: no trial completed.
        """
        for trial in self._study.get_trials(states=(TrialState.RUNNING,)):
            self._study.tell(trial.number, state=TrialState.FAIL)  # interrupted in an earlier run: it starts over
        while (ended := len(self._study.get_trials(states=ENDED))) < self._sweep.trials:
            self._try(self._ask(ended), ended + 1)
        if not self._study.get_trials(states=(TrialState.COMPLETE,)):
            raise StageError(f"none of the {self._sweep.trials} trials completed; the last one {self._failure}")
        return self._study.best_trial

    def mark(self, best: FrozenTrial) -> None:
        """Tag the runs of all trials with whether they are the best."""
        mark_best(self._group, f"{_stage(best)}@{self._space.task}")

    def _ask(self, ended: int) -> Trial:
        """The next trial: the values of params.yaml for the first, then samples with a seed derived from the trial's number."""
        present = self._space.present()
        if ended == 0 and present is not None and not self._study.get_trials(states=(TrialState.WAITING,)):
            self._study.enqueue_trial(dict(present))
        self._study.sampler = TPESampler(n_startup_trials=self._sweep.random_trials, seed=self._sweep.seed * 1_000_003 + ended)
        return self._study.ask(self._space.distributions)

    def _try(self, trial: Trial, count: int) -> None:
        """Train with one trial's values, and report the result to the sampler."""
        values = shortened(trial.params)
        params = self._space.params(values)
        with track(_stage(trial), self._space.task, params=params, group=self._group) as run:
            try:
                loss = self._loss(trial, params, run)
                self._study.tell(trial, loss)
                outcome = f"valid_loss {loss:.4f}"
            except optuna.TrialPruned:
                self._study.tell(trial, state=TrialState.PRUNED)
                outcome = "pruned"
            except ValueError as error:  # the loss is not finite or the sizes are invalid: report that to the sampler, too
                self._study.tell(trial, state=TrialState.PRUNED)
                outcome = self._failure = f"failed: {error}"
            run.tag("outcome", outcome)
        forget(STUDIES / self._name)
        shown = "  ".join(f"{key} {value}" for key, value in values.items())
        console.print(f"trial {count} of {self._sweep.trials}: {outcome}  {shown}", highlight=False, soft_wrap=True)

    def _loss(self, trial: Trial, params: Params, run: StageRun) -> float:
        """The lowest validation loss. Raises TrialPruned if it is worse than the median after the same number of epochs."""
        task = self._space.task
        model, job = begin(task, params, STUDIES / self._name / identity(task, params))

        def report(row: Row) -> None:
            epoch = int(row["epoch"])
            run.metrics(row, step=epoch)
            trial.report(row["valid_loss"], epoch)
            if trial.should_prune():
                raise optuna.TrialPruned

        _, history = fit(model, job, report)
        return min(row["valid_loss"] for row in history)


def _stage(trial: Trial | FrozenTrial) -> str:
    """The stage name of the trial's run."""
    return f"trial-{trial.number}"


def sweep(name: str) -> Path:
    """Run a sweep and write the profile of its best trial.

    Returns:
        the profile's path.

    Raises:
        StageError: there is no such sweep, its settings are invalid, or none of its trials completed.
        FileNotFoundError: the task's data has not been prepared.
    """
    names = [path.stem for path in sorted(SWEEPS.glob("*.yaml"))]
    if name not in names:
        raise StageError(f"there is no sweep {name!r}{closest(name, names)}")
    settings, params = read_settings(SWEEPS / f"{name}.yaml", Sweep), load_params()
    (PREPARED / settings.task).stat()  # raises if the data has not been prepared
    space = Space(settings, params, str(SWEEPS / f"{name}.yaml"))
    search = Search(name, settings, space, _study(name, settings, params))
    best = search.run()
    lines = [
        f"# Found by `make sweep NAME={name}`: validation loss {best.value:.4f}, the lowest of {settings.trials} trials.",
        *space.overrides(shortened(best.params)),
    ]
    path = PROFILES / f"best-{name}.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    search.mark(best)  # last: the profile must be written even if the tracking server is unavailable
    return path


def _study(name: str, settings: Sweep, params: Params) -> optuna.Study:
    """The study of this sweep for the same settings, data and code; only the number of trials may differ."""
    described = settings.model_dump_json(exclude={"trials"})
    this = hashlib.sha256(f"{described} {identity(settings.task, params)}".encode()).hexdigest()[:16]
    STUDIES.mkdir(parents=True, exist_ok=True)
    return optuna.create_study(
        storage=f"sqlite:///{STUDIES / name}.db",
        study_name=this,
        load_if_exists=True,
        pruner=MedianPruner(n_startup_trials=settings.random_trials, n_warmup_steps=settings.unpruned_epochs),
    )


def main(name: str) -> None:
    """Write profiles/best-NAME.txt, and print how to use it."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path = sweep(name)
    console.print(
        f"best values written to {path}; use them with `make repro PROFILE={path.stem}`", highlight=False, soft_wrap=True
    )
