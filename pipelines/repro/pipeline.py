"""DVC's work on a stage in two parts: before its command and after it.

DVC runs stages sequentially. Its work on a stage besides the command takes a moment, and is done here by DVC's own functions, in
a single process and one at a time. DVC's files, such as dvc.lock, therefore end up the same as with `dvc repro`. Only the
commands run in parallel.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from logging import WARNING, getLogger
from typing import Any

from dvc.dvcfile import PROJECT_FILE
from dvc.repo import Repo, lock_repo
from dvc.repo.reproduce import collect_stages, get_active_graph, get_subgraph
from dvc.rwlock import rwlock
from dvc.stage import Stage
from dvc.stage.cache import RunCacheNotFoundError
from dvc_data.index.index import DataIndexDirError

from pipelines.repro.lock import record


class Pipeline:
    """The targets and all stages that they depend on.

    Args:
        targets: stages or dvc.yaml files, as for `dvc repro`; by default dvc.yaml.

    Attributes:
        needs: stage -> its direct dependencies.

    Raises:
        DvcException: there is no DVC repository here, no such stage, or a dvc.yaml is invalid.
    """

    def __init__(self, targets: Sequence[str]) -> None:
        self._targets = [*targets] or [PROJECT_FILE]
        getLogger("dvc").setLevel(WARNING)  # its messages about each stage would repeat ours
        # Another dvc process may hold the lock at any time: wait for it, so that the result of a finished stage is not lost.
        self._repo, self._held = Repo(_wait_for_lock=True), dict[Stage, ExitStack]()
        with self._alone():
            asked = collect_stages(self._repo, self._targets)
            graph = get_subgraph(get_active_graph(self._repo.index.graph), asked)
            self.needs: Mapping[Stage, Sequence[Stage]] = {stage: [*graph.successors(stage)] for stage in graph}

    def unchanged(self, stage: Stage) -> bool:
        """Whether a stage is up to date: nothing has changed since its last run.

        Raises:
            DvcException: a dependency is missing.
        """
        with self._alone():
            return not stage.changed()

    def before(self, stage: Stage) -> bool:
        """Restore the outputs of a changed stage from DVC's run cache, or prepare to run its command.

        Returns:
            whether its command has to run. If so, its old outputs are removed, and `after` or `give_up` must be called later.

        Raises:
            DvcException: a dependency is missing, or another dvc process works on the stage.
        """
        with self._alone():
            if stage.frozen or not stage.cmd:  # nothing to run: DVC only checks that everything exists
                stage.reproduce()
                stage.dump(update_pipeline=False)
                return False
            stage.remove_outs()
            try:
                self._repo.stage_cache.restore(stage)
            except RunCacheNotFoundError:
                stage.save_deps()  # now, so that changes during the command show up afterwards
                self._held[stage] = ExitStack()
                self._held[stage].enter_context(self._hold(stage))
                return True
            _save(stage)
            return False

    def after(self, stage: Stage) -> None:
        """Save the outputs of the stage's command to the cache and to dvc.lock.

        Raises:
            DvcException: an output is missing.
        """
        with self._alone():
            self._held.pop(stage).close()
            _save(stage)

    def give_up(self, stage: Stage) -> None:
        """Release a stage whose command failed or was stopped."""
        self._held.pop(stage).close()

    def keep_experiment(self) -> str | None:
        """Save the working tree's params, metrics and dvc.lock as an experiment, as `dvc exp run` does.

        Returns:
            its name; None if the cache lacks outputs of other stages whose plots DVC wants to save, too.

        Raises:
            DvcException: there is no commit that it could be based on.
        """
        try:
            revision = self._repo.experiments.save(targets=self._targets)
        except DataIndexDirError:
            return None
        return str(self._repo.experiments.get_exact_name([revision])[revision] or revision)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Lock the repository against other dvc processes."""
        with lock_repo(self._repo), self._repo.scm_context(quiet=True):
            yield

    def _hold(self, stage: Stage) -> AbstractContextManager[Any]:
        """Lock the stage's files: other dvc processes may not write its dependencies, nor read or write its outputs."""
        hardlink = self._repo.config["core"].get("hardlink_lock", False)
        reads, writes = [dep.fs_path for dep in stage.deps], [out.fs_path for out in stage.outs]
        held: AbstractContextManager[Any] = rwlock(self._repo.tmp_dir, self._repo.fs, stage.addressing, reads, writes, hardlink)
        return held


def _save(stage: Stage) -> None:
    """Save a stage as DVC does after its command."""
    plain = [out for out in stage.outs if not (out.is_metric or out.is_plot)]
    stage.save(run_cache=all(out.use_cache for out in plain))
    stage.commit()
    record(stage)
