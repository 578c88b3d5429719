"""Starts and ends trials."""

import time
from contextlib import suppress
from pathlib import Path

from serving.server.archive import take
from serving.server.errors import ControlError
from serving.server.instance import Instance, Kind, State, Trial
from serving.server.proxy import Proxy
from serving.server.torchserve import TorchServe
from serving.server.trials import log


def start(kind: Kind, archive: Path, share: float, folder: Path) -> Trial:
    """Load a version, check its answers, and only then split the requests.

    Args:
        kind: of the trial.
        archive: the challenger's archive, with the model's name.
        share: share of the requests for the challenger, above 0 and at most 1.
        folder: the instance's folder.

    Raises:
        ControlError: the trial could not start; the server is as it was before.
    """
    instance, model = Instance(folder), archive.stem
    with instance.locked():
        state = proxied(instance)
        served = state.models.get(model)
        if served is None:
            raise ControlError(f"the server has no model {model} to compare with")
        refuse(model, state)
        taken = take(archive, instance.store)
        if taken.version == served.version:
            raise ControlError(f"version {taken.version} of {model} is the one that answers, so there is nothing to compare")
        if not state.trials:
            log.empty(instance)
        with TorchServe.of(instance, state).loaded(taken, already=taken.version == served.previous):
            trial = Trial(kind=kind, version=taken.version, share=share, since=time.time())
            try:
                _split(instance, state, {**state.trials, model: trial})
            except BaseException:
                with suppress(ControlError):  # if nginx has ended, which is why this failed
                    _split(instance, state, state.trials)
                raise
        return trial


def end(instance: Instance, state: State, model: str) -> None:
    """End a model's trial, with the instance locked: no new request goes to the challenger, which answers those that it has.

    It is unloaded then, unless it is served or kept for a rollback. The end is noted last: until then, it can be tried again.

    Raises:
        ControlError: nginx does not follow. The trial is not over.
    """
    trial, served = state.trials[model], state.models[model]
    others = {name: one for name, one in state.trials.items() if name != model}
    proxy = Proxy(instance)
    proxy.split(others)
    proxy.settle()
    if trial.version not in (served.version, served.previous):
        TorchServe.of(instance, state).unregister(model, trial.version)
    instance.note(state.model_copy(update={"trials": others}))


def refuse(model: str, state: State) -> None:
    """Raise ControlError if a trial of the model is running."""
    if trial := state.trials.get(model):
        raise ControlError(f"{named(model, trial)} is running; end it first: `seqline {trial.kind} {model} --stop`")


def _split(instance: Instance, state: State, trials: dict[str, Trial]) -> None:
    """Note the trials first: if this process is killed before it has split the requests, `stop` still finds them."""
    instance.note(state.model_copy(update={"trials": trials}))
    Proxy(instance).split(trials)


def proxied(instance: Instance) -> State:
    """The state of a server that can have trials. Raises ControlError if it has no proxy."""
    state = instance.state()
    if not state.proxied:
        raise ControlError("a shadow or canary needs the proxy; start the server with `seqline up --proxy`")
    return state


def running(kind: Kind, model: str, state: State) -> Trial:
    """The trial of a model. Raises ControlError if there is none of this kind."""
    trial = state.trials.get(model)
    if trial is None or trial.kind != kind:
        raise ControlError(f"{model} has no {kind}; `seqline {kind} {model}@challenger` starts one")
    return trial


def named(model: str, trial: Trial) -> str:
    """The trial in messages."""
    return f"the {trial.kind} {trial.version} of {model}"
