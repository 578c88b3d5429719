"""Settings of trainings whose results are the same on any machine and with any number of processes."""

from typing import Any

from pipelines.settings.params import Params

RANKS = 2
TASKS = {"surname": 40, "names": 40, "fr-en": 40, "sentiment": 1}  # units per batch; 1: one row per batch
WITHOUT_DRAWS = {"dropout": 0.0, "input_dropout": 0.0, "weight_dropout": 0.0}


def exact(params: Params) -> Params:
    """Two short epochs without dropout, with all numbers in float32."""
    content: dict[str, Any] = params.model_dump(by_alias=True) | {"device": "cpu", "precision": "fp32"}
    for task, units in TASKS.items():
        block = content["tasks"][task]
        model = block["model"]
        model |= {key: value for key, value in WITHOUT_DRAWS.items() if key in model}
        block["train"] |= {"epochs": 2, "patience": 2, "batch_units": units}
    content["methods"]["cbow"] |= {"dimension": 8, "epochs": 2}
    content["methods"]["elmo"] |= {"sentences": 60, "held_out": 5}
    content["methods"]["elmo"]["model"] |= {"size": 4, "filters": [3, 2], "cutoffs": [8]}
    content["methods"]["elmo"]["train"] |= {"epochs": 2, "patience": 2, "batch_units": 40}
    return Params.model_validate(content)
