"""`dvc repro` with several stages at a time: `python -m pipelines.side_by_side [--jobs JOBS] [STAGE ...]`.

With `-S KEY=VALUE ...` it is `dvc exp run` instead: params.yaml is changed first, and what comes of it becomes an experiment.

A stage runs as soon as those that it depends on are done, fewer than JOBS others run and a core is free. Each has its share of
the cores. If one fails, no other starts, and those that run come to their end.
"""

import argparse
import math
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

from pipelines.jobs.command import Command, end, say
from pipelines.jobs.interrupts import Interrupts
from pipelines.jobs.pipeline import Pipeline
from pipelines.jobs.shares import THREADS, Shares, measured, most_jobs
from pipelines.jobs.tracker_process import TrackerProcess
from pipelines.stage import fail, threads

LOOK_S = 0.5  # between two looks for a signal, while stages run
GRACE_S = 3.0  # from asking the stages to stop until killing them
INTERRUPTED = 130  # exit status after Ctrl-C, as a shell has it


class Jobs:
    """Runs the stages of a pipeline.

    Args:
        pipeline: to run.
        jobs: most stages that run at the same time.
        interrupts: what may end the run.

    Attributes:
        ran: names of stages whose command came to a good end, or whose outputs DVC had.
        failed: names of those that did not.
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
        """Run all that is out of date, until that is done or one has failed and the others have ended."""
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
        """Find the stages that can run now, that with the longest chain last. Those that have not changed are done."""
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
        """Start a stage's command, or find its outputs among those of earlier runs."""
        with self._blaming(stage):
            if self._pipeline.before(stage):
                self._start(stage)
            else:
                say(stage.addressing, "its outputs were in DVC's cache")
                self.ran.append(stage.addressing)
                self._done(stage)

    def _start(self, stage: Stage) -> None:
        lines = stage.cmd if isinstance(stage.cmd, list) else stage.cmd.splitlines()
        for line in lines:
            say(stage.addressing, f"> {line}")
        self._used[stage] = self._shares.share(stage, self._left)
        own = dict.fromkeys(THREADS, str(math.ceil(self._used[stage])))
        where = prepare_kwargs(stage, run_env={**own, **self._tracker.environment()})
        with self._interrupts.held():  # what has been started has to be known, or nothing would end it
            self._running[Command(stage.addressing, lines, where["cwd"], where["env"], self._ended.put)] = stage

    def _end(self, command: Command) -> None:
        """Keep what a stage's command has made, if all went well."""
        stage = self._running.pop(command)
        del self._used[stage]
        if command.status:
            self._pipeline.give_up(stage)
            self._fail(stage, f"its command ended with status {command.status}")
            return
        with self._blaming(stage):
            self._pipeline.after(stage)
            say(stage.addressing, f"done, after {command.seconds:.0f} s")
            self.ran.append(stage.addressing)
            self._done(stage)

    def _stop(self) -> None:
        """End what runs: no stage outlives this process."""
        end(self._running, GRACE_S)
        for stage in self._running.values():
            self._pipeline.give_up(stage)
        self._tracker.close()

    def _done(self, stage: Stage) -> None:
        self._left.remove(stage)
        self._order.done(stage)

    @contextmanager
    def _blaming(self, stage: Stage) -> Iterator[None]:
        """Let what goes wrong in the block be the stage's failure."""
        try:
            yield
        except (DvcException, OSError) as error:
            self._fail(stage, str(error))

    def _fail(self, stage: Stage, why: str) -> None:
        self.failed.append(stage.addressing)
        say(stage.addressing, f"failed: {why}")


def run(targets: Sequence[str], jobs: int, changes: Sequence[str], interrupts: Interrupts) -> None:
    """Bring the targets and what they need up to date.

    Args:
        targets: see Pipeline.
        jobs: most stages that run at the same time.
        changes: to params.yaml, each `key=value`. With any, what comes of them is kept as an experiment of DVC.
        interrupts: what may end the run.

    Raises:
        SystemExit: with status 1, after one line that says why, if there are no such stages or keys or a stage failed.
    """
    try:
        for path, overrides in to_path_overrides(changes).items():
            apply_overrides(path, overrides)
        pipeline = Pipeline(targets)
        running = Jobs(pipeline, jobs, interrupts)
        running.run()
        if changes and not running.failed:
            sys.stdout.write(f"this is the experiment {pipeline.keep_experiment()}\n")
    except DvcException as error:
        whole = ": ".join(map(str, filter(None, (error, error.__cause__))))
        fail(" ".join(whole.split()))
    if running.failed:
        fail(f"failed: {', '.join(running.failed)}; what it printed is above, after its name")
    sys.stdout.write(f"brought up to date: {', '.join(running.ran)}\n" if running.ran else "all stages are up to date\n")


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of stages; it has to be a whole number from 1 on")
    return int(text)


def main() -> None:
    """Read the command line. Whatever ends this process, short of a kill, ends the stages that it runs."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.side_by_side", description="`dvc repro`, several stages at a time")
    parser.add_argument("--jobs", type=_positive, help="most stages that run at the same time; else as many as there are cores")
    parser.add_argument(
        "stages", nargs="*", metavar="stage", help="as `dvc repro` takes them; where none is named, all of dvc.yaml"
    )
    parser.add_argument("-S", dest="changes", action="append", default=[], metavar="KEY=VALUE", help="as `dvc exp run` takes it")
    arguments = parser.parse_args()
    interrupts = Interrupts()
    interrupts.listen()
    try:
        run(arguments.stages, arguments.jobs or most_jobs(), arguments.changes, interrupts)
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None


if __name__ == "__main__":
    main()
