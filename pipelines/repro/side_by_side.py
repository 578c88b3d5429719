"""`dvc repro` with parallel stages: `python -m pipelines.repro.side_by_side [--jobs JOBS] [STAGE ...]`.

With `-S KEY=VALUE ...` it acts like `dvc exp run`: it changes params.yaml first, and saves the result as an experiment.

A stage runs as soon as its dependencies are done, fewer than JOBS others run and a core is free. Each has its share of the cores.
If a stage fails, no other starts, and the running ones finish.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from graphlib import TopologicalSorter
from queue import Empty, SimpleQueue

from dvc.exceptions import DvcException
from dvc.stage import Stage
from dvc.stage.run import prepare_kwargs
from dvc.utils.cli_parse import to_path_overrides
from dvc.utils.hydra import apply_overrides

from pipelines.repro.command import Command, end, say
from pipelines.repro.interrupts import Interrupts
from pipelines.repro.pipeline import Pipeline
from pipelines.repro.shares import THREADS, Shares, measured, most_jobs
from pipelines.repro.user import name_user
from pipelines.stage import fail, threads
from pipelines.tracking.process import TrackerProcess

LOOK_S = 0.5  # between two checks for a signal, while stages run
GRACE_S = 3.0  # between interrupting the stages and killing them
INTERRUPTED = 130  # exit status after Ctrl-C, by the convention of shells


class Jobs:
    """Runs the stages of a pipeline.

    Args:
        pipeline: the stages to run.
        jobs: maximum number of parallel stages.
        interrupts: signals that end the run.

    Attributes:
        ran: names of stages whose command succeeded, or whose outputs were in DVC's cache.
        failed: names of stages that failed.
    """

    def __init__(self, pipeline: Pipeline, jobs: int, interrupts: Interrupts) -> None:
        self.ran, self.failed = list[str](), list[str]()
        self._pipeline, self._jobs, self._interrupts = pipeline, jobs, interrupts
        self._order, self._left, self._ready = TopologicalSorter(pipeline.needs), set(pipeline.needs), list[Stage]()
        self._running, self._ended = dict[Command, Stage](), SimpleQueue[Command]()
        self._tracker = TrackerProcess()
        self._cores, self._used = max(threads(), jobs), dict[Stage, float]()
        seconds = measured([stage.addressing for stage in self._left])
        costs = {stage: seconds[stage.addressing] for stage in self._left}
        self._shares = Shares(pipeline.needs, costs, threads(), jobs)

    def run(self) -> None:
        """Run all stages that are out of date. After a failure, wait for the running ones only."""
        self._order.prepare()
        try:
            while True:
                self._interrupts.check()
                self._look()
                if self._ready and self._has_room():
                    self._begin(self._ready.pop())
                elif self._running:
                    with suppress(Empty):
                        self._end(self._ended.get(timeout=LOOK_S))
                else:
                    break
        finally:
            self._stop()

    def _look(self) -> None:
        """Find the stages that can run now, sorted so that the longest chain comes last. Unchanged stages are done."""
        while found := self._order.get_ready():
            for stage in found:
                with self._blaming(stage):
                    if self._pipeline.unchanged(stage):
                        self._done(stage)
                    else:
                        self._ready.append(stage)
        self._ready.sort(key=self._shares.chains.__getitem__)

    def _has_room(self) -> bool:
        return not self.failed and len(self._running) < self._jobs and sum(self._used.values()) < self._cores

    def _begin(self, stage: Stage) -> None:
        """Start a stage's command, or restore its outputs from the cache."""
        with self._blaming(stage):
            if self._pipeline.before(stage):
                self._start(stage)
            else:
                say(stage.addressing, "outputs restored from DVC's cache")
                self.ran.append(stage.addressing)
                self._done(stage)

    def _start(self, stage: Stage) -> None:
        lines = stage.cmd if isinstance(stage.cmd, list) else stage.cmd.splitlines()
        for line in lines:
            say(stage.addressing, f"> {line}")
        self._used[stage] = self._shares.share(stage, self._left)
        own = dict.fromkeys(THREADS, str(self._shares.threads(stage, self._left)))
        where = prepare_kwargs(stage, run_env={**own, **self._tracker.environment()})
        with self._interrupts.held():  # a process that started must be registered, or nothing would end it
            self._running[Command(stage.addressing, lines, where["cwd"], where["env"], self._ended.put)] = stage

    def _end(self, command: Command) -> None:
        """Save the outputs of a stage's command, if it succeeded."""
        stage = self._running.pop(command)
        del self._used[stage]
        if command.status:
            self._pipeline.give_up(stage)
            self._fail(stage, f"command exited with status {command.status}")
            return
        with self._blaming(stage):
            self._pipeline.after(stage)
            say(stage.addressing, f"done, after {command.seconds:.0f} s")
            self.ran.append(stage.addressing)
            self._done(stage)

    def _stop(self) -> None:
        """End the running stages: none outlives this process."""
        end(self._running, GRACE_S)
        for stage in self._running.values():
            self._pipeline.give_up(stage)
        self._tracker.close()

    def _done(self, stage: Stage) -> None:
        self._left.remove(stage)
        self._order.done(stage)

    @contextmanager
    def _blaming(self, stage: Stage) -> Iterator[None]:
        """Record an error in the block as the stage's failure."""
        try:
            yield
        except (DvcException, OSError) as error:
            self._fail(stage, str(error))

    def _fail(self, stage: Stage, why: str) -> None:
        self.failed.append(stage.addressing)
        say(stage.addressing, f"failed: {why}")


def run(targets: Sequence[str], jobs: int, changes: Sequence[str], interrupts: Interrupts) -> None:
    """Bring the targets and their dependencies up to date.

    Args:
        targets: see Pipeline.
        jobs: maximum number of parallel stages.
        changes: changes to params.yaml, each `key=value`. If there are any, the result is saved as a DVC experiment.
        interrupts: signals that end the run.

    Raises:
        SystemExit: with status 1, after a one-line message, for unknown stages or keys, or if a stage failed.
    """
    try:
        for path, overrides in to_path_overrides(changes).items():
            apply_overrides(path, overrides)
        pipeline = Pipeline(targets)
        running = Jobs(pipeline, jobs, interrupts)
        running.run()
        if changes and not running.failed:
            name = pipeline.keep_experiment()
            missing = "not saved as an experiment, as results of other stages are missing; `dvc pull` or `make repro` brings them"
            sys.stdout.write(f"saved as experiment {name}\n" if name else f"{missing}\n")
    except DvcException as error:
        whole = ": ".join(map(str, filter(None, (error, error.__cause__))))
        fail(" ".join(whole.split()))
    if running.failed:
        fail(f"failed: {', '.join(running.failed)}; see the output above, prefixed with the stage's name")
    sys.stdout.write(f"updated: {', '.join(running.ran)}\n" if running.ran else "all stages are up to date\n")


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a valid number of stages; it must be a positive integer")
    return int(text)


def main() -> None:
    """Command-line entry point. Unless this process is killed with SIGKILL, its stages end with it."""
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.repro.side_by_side", description="`dvc repro` with parallel stages"
    )
    parser.add_argument("--jobs", type=_positive, help="maximum number of parallel stages; by default one per core")
    parser.add_argument("stages", nargs="*", metavar="stage", help="target, as for `dvc repro`; by default all of dvc.yaml")
    parser.add_argument(
        "-S", dest="changes", action="append", default=[], metavar="KEY=VALUE", help="override, as for `dvc exp run`"
    )
    arguments = parser.parse_args()
    name_user()
    interrupts = Interrupts()
    interrupts.listen()
    try:
        run(arguments.stages, arguments.jobs or most_jobs(), arguments.changes, interrupts)
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None


if __name__ == "__main__":
    main()
