"""`dvc repro` with several stages at a time: `python -m pipelines.side_by_side JOBS [STAGE ...]`.

With `-S KEY=VALUE ...` it is `dvc exp run` instead: params.yaml is changed first, and what comes of it becomes an experiment.

A stage runs as soon as those that it depends on are done and fewer than JOBS others run. Each has its share of the cores.
If one fails, no other starts, and those that run come to their end.
"""

import argparse
import signal
import sys
from collections.abc import Sequence
from graphlib import TopologicalSorter
from queue import SimpleQueue

from dvc.exceptions import DvcException
from dvc.stage import Stage
from dvc.stage.run import prepare_kwargs
from dvc.utils.cli_parse import to_path_overrides
from dvc.utils.hydra import apply_overrides

from pipelines.jobs.command import Command, say
from pipelines.jobs.pipeline import Pipeline, Verdict, by_chain
from pipelines.jobs.tracker_process import TrackerProcess
from pipelines.stage import fail, threads

GRACE_S = 10.0  # from asking a stage to stop until killing it
INTERRUPTED = 130  # exit status after Ctrl-C, as a shell has it
# Read by: torch, scikit-learn, Arrow and `pipelines.stage.threads`; joblib; tokenizers.
THREADS = ("OMP_NUM_THREADS", "LOKY_MAX_CPU_COUNT", "RAYON_NUM_THREADS")


class Jobs:
    """Runs the stages of a pipeline.

    Args:
        pipeline: to run.
        jobs: most stages that run at the same time.

    Attributes:
        ran: names of stages whose command came to a good end, or whose outputs DVC had.
        failed: names of those that did not.
    """

    def __init__(self, pipeline: Pipeline, jobs: int) -> None:
        self.ran, self.failed = list[str](), list[str]()
        self._pipeline, self._jobs = pipeline, jobs
        self._order, self._waiting = TopologicalSorter(pipeline.needs), by_chain(pipeline.needs)
        self._running, self._ended = dict[Command, Stage](), SimpleQueue[Command]()
        self._tracker = TrackerProcess()
        self._environment = dict.fromkeys(THREADS, str(max(1, threads() // jobs)))

    def run(self) -> None:
        """Run all that is out of date, until that is done or one has failed and the others have ended."""
        self._order.prepare()
        ready = list[Stage]()
        try:
            while True:
                ready = sorted([*ready, *self._order.get_ready()], key=self._waiting.__getitem__, reverse=True)
                if ready and len(self._running) < self._jobs and not self.failed:
                    self._begin(ready.pop(0))
                elif self._running:
                    self._end(self._ended.get())
                else:
                    break
        finally:
            self._stop()

    def _begin(self, stage: Stage) -> None:
        """Start a stage, or find that there is no need to."""
        try:
            verdict = self._pipeline.before(stage)
        except (DvcException, OSError) as error:
            self._fail(stage, str(error))
            return
        if verdict is Verdict.TO_RUN:
            self._running[self._command(stage)] = stage
            return
        if verdict is Verdict.RESTORED:
            say(stage.addressing, "its outputs were in DVC's cache")
            self.ran.append(stage.addressing)
        self._order.done(stage)

    def _command(self, stage: Stage) -> Command:
        lines = stage.cmd if isinstance(stage.cmd, list) else stage.cmd.splitlines()
        for line in lines:
            say(stage.addressing, f"> {line}")
        where = prepare_kwargs(stage, run_env={**self._environment, **self._tracker.environment()})
        return Command(stage.addressing, lines, where["cwd"], where["env"], self._ended.put)

    def _end(self, command: Command) -> None:
        """Keep what a stage's command has made, if all went well."""
        stage = self._running.pop(command)
        if command.status:
            self._pipeline.give_up(stage)
            self._fail(stage, f"its command ended with status {command.status}")
            return
        try:
            self._pipeline.after(stage)
        except (DvcException, OSError) as error:
            self._fail(stage, str(error))
            return
        say(stage.addressing, f"done, after {command.seconds:.0f} s")
        self.ran.append(stage.addressing)
        self._order.done(stage)

    def _stop(self) -> None:
        """End what runs: no stage outlives this process."""
        for command in self._running:
            command.interrupt()
        for command, stage in self._running.items():
            command.kill_after(GRACE_S)
            self._pipeline.give_up(stage)
        self._tracker.close()

    def _fail(self, stage: Stage, why: str) -> None:
        self.failed.append(stage.addressing)
        say(stage.addressing, f"failed: {why}")


def run(targets: Sequence[str], jobs: int, changes: Sequence[str] = ()) -> None:
    """Bring the targets and what they need up to date.

    Args:
        targets: see Pipeline.
        jobs: most stages that run at the same time.
        changes: to params.yaml, each `key=value`. With any, what comes of them is kept as an experiment of DVC.

    Raises:
        SystemExit: with status 1, after one line that says why, if there are no such stages or keys or a stage failed.
    """
    try:
        for path, overrides in to_path_overrides(changes).items():
            apply_overrides(path, overrides)
        pipeline = Pipeline(targets)
        running = Jobs(pipeline, jobs)
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


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def main() -> None:
    """Read the command line. Whatever ends this process, short of a kill, ends the stages that it runs."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.side_by_side", description="`dvc repro`, several stages at a time")
    parser.add_argument("jobs", type=_positive, help="most stages that run at the same time")
    parser.add_argument(
        "stages", nargs="*", metavar="stage", help="as `dvc repro` takes them; where none is named, all of dvc.yaml"
    )
    parser.add_argument("-S", dest="changes", action="append", default=[], metavar="KEY=VALUE", help="as `dvc exp run` takes it")
    arguments = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        run(arguments.stages, arguments.jobs, arguments.changes)
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None


if __name__ == "__main__":
    main()
