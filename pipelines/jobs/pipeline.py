"""DVC's part of a stage, cut in two: what comes before its command and what comes after it.

DVC runs one stage after the other. What it does for a stage besides running its command takes a moment, and is done here by
DVC's own functions, in one process that never does two of them at once; so the files that DVC keeps, dvc.lock among them,
become what `dvc repro` would have made them. The commands in between may run side by side.
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


class Pipeline:
    """The stages of a DVC repository that some targets need, the targets among them.

    Args:
        targets: stages, or files of stages, as `dvc repro` takes them; dvc.yaml where there is none.

    Attributes:
        needs: stage -> those that it depends on directly.

    Raises:
        DvcException: there is no DVC repository here, no such stage, or a file of stages is wrong.
    """

    def __init__(self, targets: Sequence[str]) -> None:
        self._targets = [*targets] or [PROJECT_FILE]
        getLogger("dvc").setLevel(WARNING)  # of each stage, it would tell what is told here
        # Another dvc may take a look at any time: a stage that has run is not to be lost because the lock was taken.
        self._repo, self._held = Repo(_wait_for_lock=True), dict[Stage, ExitStack]()
        with self._alone():
            asked = collect_stages(self._repo, self._targets)
            graph = get_subgraph(get_active_graph(self._repo.index.graph), asked)
            self.needs: Mapping[Stage, Sequence[Stage]] = {stage: [*graph.successors(stage)] for stage in graph}

    def unchanged(self, stage: Stage) -> bool:
        """Whether there is nothing to do for a stage: all is as it was after its last run.

        Raises:
            DvcException: a dependency is missing.
        """
        with self._alone():
            return not stage.changed()

    def before(self, stage: Stage) -> bool:
        """Restore the outputs of a stage that has changed from DVC's cache of earlier runs, or make ready to run its command.

        Returns:
            whether its command has to run. If so, its old outputs are gone, and `after` or `give_up` has to follow.

        Raises:
            DvcException: a dependency is missing, or another dvc works on the stage.
        """
        with self._alone():
            if stage.frozen or not stage.cmd:  # nothing to run: DVC only looks whether all is there
                stage.reproduce()
                stage.dump(update_pipeline=False)
                return False
            stage.remove_outs()
            try:
                self._repo.stage_cache.restore(stage)
            except RunCacheNotFoundError:
                stage.save_deps()  # now: what changes while the command runs has to show afterwards
                self._held[stage] = ExitStack()
                self._held[stage].enter_context(self._hold(stage))
                return True
            _save(stage)
            return False

    def after(self, stage: Stage) -> None:
        """Put into the cache and into dvc.lock what the stage's command has made.

        Raises:
            DvcException: it did not make one of its outputs.
        """
        with self._alone():
            self._held.pop(stage).close()
            _save(stage)

    def give_up(self, stage: Stage) -> None:
        """Let go of a stage whose command did not come to a good end."""
        self._held.pop(stage).close()

    def keep_experiment(self) -> str:
        """Keep the working tree's params, metrics and dvc.lock as an experiment, as `dvc exp run` does.

        Returns:
            its name.

        Raises:
            DvcException: there is no commit that it could be beside.
        """
        revision = self._repo.experiments.save(targets=self._targets)
        return str(self._repo.experiments.get_exact_name([revision])[revision] or revision)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """No other dvc works here meanwhile."""
        with lock_repo(self._repo), self._repo.scm_context(quiet=True):
            yield

    def _hold(self, stage: Stage) -> AbstractContextManager[Any]:
        """Until the stage has run, no other dvc writes what it reads, or touches what it writes."""
        hardlink = self._repo.config["core"].get("hardlink_lock", False)
        reads, writes = [dep.fs_path for dep in stage.deps], [out.fs_path for out in stage.outs]
        held: AbstractContextManager[Any] = rwlock(self._repo.tmp_dir, self._repo.fs, stage.addressing, reads, writes, hardlink)
        return held


def _save(stage: Stage) -> None:
    """As DVC does it after a stage's command."""
    plain = [out for out in stage.outs if not (out.is_metric or out.is_plot)]
    stage.save(run_cache=all(out.use_cache for out in plain))
    stage.commit()
    stage.dump(update_pipeline=False)
