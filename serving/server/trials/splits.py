"""nginx's settings that split requests between the champions and the challengers of trials; nginx.conf includes them."""

import re
from collections.abc import Mapping
from typing import get_args

from serving.server.instance import Kind, Trial


def of_requests(trials: Mapping[str, Trial]) -> str:
    """The variables of a request by its model, which nginx captures as $model, and the upstreams of the challengers.

    $shadow and $canary are the challenger's version for the share of the requests that it gets, and else empty. $in_canary is 1
    for all requests for a model with a canary. $challenger is the upstream of its trial: where requests wait for one challenger,
    they take no places of another.

    Args:
        trials: trials by the model's name.
    """
    # Numbers in the names of variables, as a model's name may have characters that they may not.
    splits = [
        f'split_clients "$request_id" $trial_{i} {{ {trial.share:.2%} "{trial.version}"; * ""; }}\n'
        f"upstream challenger_{i} {{ include challenger.conf; }}"
        for i, trial in enumerate(trials.values())
    ]
    kinds = {
        kind: {model: f"$trial_{i}" for i, (model, t) in enumerate(trials.items()) if t.kind == kind} for kind in get_args(Kind)
    }
    values = kinds | {"challenger": {model: f"challenger_{i}" for i, model in enumerate(trials)}}
    maps = [_map(variable, by_model, '""') for variable, by_model in values.items()]
    return "\n".join([*splits, *maps, _map("in_canary", dict.fromkeys(kinds["canary"], "1"), "0")]) + "\n"


def copies(trials: Mapping[str, Trial]) -> str:
    """What a request's location needs while there is a shadow. A request without one then still takes nginx a little time."""
    return "mirror /shadow;\n" if any(trial.kind == "shadow" for trial in trials.values()) else ""


def _map(variable: str, values: Mapping[str, str], default: str) -> str:
    # Regular expressions, because nginx compares plain strings case-insensitively.
    cases = "".join(f' "~^{re.escape(model)}$" {value};' for model, value in values.items())
    return f"map $model ${variable} {{ default {default};{cases} }}"
