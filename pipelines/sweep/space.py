"""The search space of a sweep: values for keys of a task's `model` and `train`, each of them valid in params.yaml."""

from collections.abc import Mapping
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from pipelines.settings.errors import closest
from pipelines.settings.params import Params, checked, flat
from pipelines.stage import StageError
from pipelines.sweep.settings import Choices, Span, Sweep

DIGITS = 3  # significant digits of a float: more would be noise
Value = bool | int | float | str
Values = Mapping[str, Value]


class Space:
    """The search space.

    Args:
        sweep: settings of the sweep.
        params: all other settings.
        source: file of the settings, for messages.

    Attributes:
        distributions: key within the task's block -> distribution of its values.

    Raises:
        StageError: a key is not in the task's `model` or `train`, or one of its values is not valid in params.yaml.
    """

    def __init__(self, sweep: Sweep, params: Params, source: str) -> None:
        self.task, self._content = sweep.task, params.model_dump(by_alias=True)
        block = self._content["tasks"][self.task]
        self._present = dict(flat({part: block[part] for part in ("model", "train")}))
        self._allowed = {key: self._read(key, raw, source) for key, raw in sweep.keys.items()}
        self.distributions = {key: self._distribution(key) for key in self._allowed}

    def params(self, values: Values) -> Params:
        """Params with these values instead of the current ones."""
        return self._with(values, self.task)

    def present(self) -> Values | None:
        """The current values of params.yaml, if they are in the space."""
        values = {key: self._present[key] for key in self._allowed}
        return values if all(_holds(self._allowed[key], value) for key, value in values.items()) else None

    def overrides(self, values: Values) -> list[str]:
        """The values as lines of a profile."""
        return [f"tasks.{self.task}.{key}={_written(value)}" for key, value in values.items()]

    def _read(self, key: str, raw: Mapping[str, Any], source: str) -> Span | Choices:
        if key not in self._present:
            raise StageError(f"{source}: {key!r} is not a key of the task's model or train{closest(key, self._present)}")
        where = f"{source}: {key}"
        allowed = checked(raw, Choices, where) if "choices" in raw else checked(raw, Span, where)
        for value in allowed.choices if isinstance(allowed, Choices) else (allowed.low, allowed.high):
            self._with({key: value}, where)
        return allowed

    def _with(self, values: Values, source: str) -> Params:
        block = dict(self._content["tasks"][self.task])
        for key, value in values.items():
            block = _replaced(block, key.split("."), value)
        return checked({**self._content, "tasks": {**self._content["tasks"], self.task: block}}, Params, source)

    def _distribution(self, key: str) -> BaseDistribution:
        allowed = self._allowed[key]
        if isinstance(allowed, Choices):
            return CategoricalDistribution(allowed.choices)
        if isinstance(self._present[key], int):
            return IntDistribution(int(allowed.low), int(allowed.high), log=allowed.log)
        return FloatDistribution(allowed.low, allowed.high, log=allowed.log)


def shortened(values: Values) -> dict[str, Value]:
    """The values as used and written: floats with DIGITS significant digits."""
    return {key: float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value for key, value in values.items()}


def _holds(allowed: Span | Choices, value: Value) -> bool:
    if isinstance(allowed, Choices):
        return value in allowed.choices
    return not isinstance(value, str) and allowed.low <= value <= allowed.high


def _written(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _replaced(block: Mapping[str, Any], path: list[str], value: Value) -> dict[str, Any]:
    """The block with the value at `path` replaced."""
    first, *rest = path
    return {**block, first: _replaced(block[first], rest, value) if rest else value}
