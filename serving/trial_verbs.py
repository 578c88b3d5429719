"""The commands for trials of a challenger: shadow, canary."""

import json
import signal
import sys
from dataclasses import asdict
from typing import Annotated, Any

import typer

from serving.console import CONSOLE, INSTANCE, TRACKING, Instance, Tracking, verb
from serving.registry import Registry, fetched
from serving.server.errors import ControlError
from serving.server.trials import canary as canaries
from serving.server.trials import shadow as shadows
from serving.server.trials.attempts import Latency
from serving.server.trials.gate import ANSWERS, Gate
from serving.server.trials.running import start

Stop = Annotated[bool, typer.Option("--stop", help="End it.")]
SHADOW_SHARE, CANARY_SHARE = 0.2, 0.1
SMALLEST = 0.001


@verb
def shadow(
    model: Annotated[str, typer.Argument(help="MODEL@WHICH starts one: an alias or number of the registry. MODEL reports.")],
    share: Annotated[
        float | None, typer.Option(min=SMALLEST, max=1, help=f"Share of the requests to copy; default: {SHADOW_SHARE}.")
    ] = None,
    ends: Stop = False,
    instance: Instance = INSTANCE,
    tracking: Tracking = TRACKING,
) -> int:
    """Send copies of requests to a challenger, and report how often its answers agree. Nobody sees them."""
    task, _, which = model.partition("@")
    if which:
        _only_without(ends, task, "shadow")
        with fetched(model, tracking) as archive:
            trial = start("shadow", archive, share or SHADOW_SHARE, instance)
        CONSOLE.print(f"{task} {trial.version} gets copies of {trial.share:.1%} of the requests; `seqline shadow {task}` reports")
        return 0
    if share is not None:
        raise ControlError(f"--share is for a new shadow: `seqline shadow {task}@challenger --share {share:g}`")
    compared = shadows.finish(task, instance) if ends else shadows.compare(task, instance)
    _report(task, compared)
    if ends:
        CONSOLE.print(f"the shadow {compared.challenger} of {task} has ended")
        _record(task, compared.challenger, "shadow", asdict(compared), tracking)
    return 0


@verb
def canary(
    model: Annotated[str, typer.Argument(help="MODEL@WHICH: an alias or number of the registry; MODEL with --stop.")],
    share: Annotated[float, typer.Option(min=SMALLEST, max=0.9, help="Share of the requests.")] = CANARY_SHARE,
    errors: Annotated[
        float, typer.Option(min=0, max=1, help="Share of requests that may fail, beyond the champion's.")
    ] = Gate.errors,
    slower: Annotated[float, typer.Option(min=1, help="How many times the champion's p99 latency is acceptable.")] = Gate.slower,
    worse: Annotated[
        float, typer.Option(min=0, max=1, help="How much smaller its share of right answers may be, by feedback.")
    ] = Gate.worse,
    minutes: Annotated[float, typer.Option(min=0.01, help="Longest time.")] = canaries.Patience.minutes,
    requests: Annotated[int | None, typer.Option(min=ANSWERS, help="Number of its answers that are enough.")] = None,
    ends: Stop = False,
    instance: Instance = INSTANCE,
    tracking: Tracking = TRACKING,
) -> int:
    """Let a challenger answer a share of the requests, and watch it. Status 1 if it did worse than the champion."""
    task, _, which = model.partition("@")
    if not which:
        if not ends:
            raise ControlError(f"name the version, such as {task}@challenger; `seqline canary {task} --stop` ends a canary")
        canaries.stop(task, instance)
        CONSOLE.print(f"the canary of {task} has ended")
        return 0
    _only_without(ends, task, "canary")
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup's
        signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))  # without a terminal nobody would watch
    with fetched(model, tracking) as archive, CONSOLE.status(f"{share:.1%} of the requests go to {model}"):
        outcome = canaries.run(archive, share, instance, Gate(errors, slower, worse), canaries.Patience(minutes, requests))
    _record(task, outcome.challenger, "canary", asdict(outcome), tracking)
    return _conclude(task, outcome)


def _only_without(ends: bool, task: str, kind: str) -> None:
    if ends:
        raise ControlError(f"--stop takes the model alone: `seqline {kind} {task} --stop`")


def _report(task: str, seen: shadows.Comparison) -> None:
    CONSOLE.print(f"{task} {seen.challenger} beside {seen.champion}")
    skipped = f", and {seen.skipped} were not copied because too many were under way" if seen.skipped else ""
    CONSOLE.print(f"  {seen.copies} copies, {seen.failed} without an answer{skipped}")
    agreement = "" if seen.agreement is None else f", {seen.agreement:.1%} with the same answer"
    CONSOLE.print(f"  {seen.pairs} inputs answered by both{agreement}")
    if seen.pairs:
        CONSOLE.print(f"  p50 and p99 latency: {_times(seen.challenger_s)}, beside {_times(seen.champion_s)}")


def _conclude(task: str, outcome: canaries.Outcome) -> int:
    if outcome.reason:
        CONSOLE.print(f"{task} {outcome.challenger} is withdrawn: {outcome.reason}; {outcome.champion} answers everything")
        return 1
    CONSOLE.print(
        f"{task} {outcome.challenger} passed: {outcome.requests} requests, {outcome.failed} failed, p50 and p99 latency "
        f"{_times(outcome.challenger_s)} beside {_times(outcome.champion_s)}; `seqline promote {task}`, then "
        f"`seqline deploy {task}@champion`, makes it the champion"
    )
    return 0


def _times(latency: Latency | None) -> str:
    return f"{1000 * latency.p50_s:.0f} and {1000 * latency.p99_s:.0f} ms" if latency else "unknown"


def _record(task: str, version: str, key: str, result: dict[str, Any], tracking: str) -> None:
    """Tag the version in the registry with a result. The trial has ended as it did even if the registry is away."""
    registry = Registry(tracking)
    try:
        registry.tag(registry.find(task, version.partition("-")[0]), key, json.dumps(result))
    except ControlError as error:
        CONSOLE.print(f"the result is not in the registry: {error}", markup=False)
