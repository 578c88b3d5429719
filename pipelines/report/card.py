"""Model cards (Mitchell et al. 2019, "Model Cards for Model Reporting", FAT*): what a model is for, and how good it is."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipelines.data.catalogue import DataSet
from pipelines.report.measures import Measure, of_kind
from pipelines.settings.params import Params

CORE_WATTS = 10.0  # a core of a server's CPU under load
GRAMS_PER_KWH = 480.0  # of CO2 equivalent: the world's mean of 2023 (Ember 2024, Global Electricity Review)
# Metrics with these names are tests of behaviour.
BEHAVIOUR = ("same_", "shuffled_", "kept_")
VECTORS = (
    "Word vectors: similarities, analogies and neighbours of words.",
    ["They repeat the associations of their training texts, also the prejudices."],
)


@dataclass(frozen=True)
class Training:
    """The training of a model: wall-clock seconds, and the number of cores that it could use."""

    seconds: float
    cores: int

    @property
    def grams(self) -> float:
        """An estimate of its emissions, in grams of CO2 equivalent."""
        return self.seconds / 3600 * self.cores * CORE_WATTS / 1000 * GRAMS_PER_KWH


def card(
    name: str, params: Params, catalogue: Mapping[str, DataSet], metrics: Mapping[str, float | str], training: Training | None
) -> str:
    """The card of a model as Markdown.

    Args:
        name: of the task or the word vectors.
        params: the settings.
        catalogue: the data sets.
        metrics: of the evaluation.
        training: None if no run of it is known.
    """
    _, sets = params.described(name)
    about = None if name in params.vectors else of_kind(params.tasks[name].kind)
    use, limits = (about.use, about.limits) if about else VECTORS
    lines = about.lines if about else []
    parts = [f"# {name}", "", "## Intended use", "", use, "", "## Data", ""]
    parts += [f"- {catalogue[one].title}. Licence: {catalogue[one].licence}" for one in sets]
    parts += ["", "## Metrics", "", *_table(_rows(lines, metrics) if lines else _plain(metrics))]
    if behaviour := [(key, value) for key, value in metrics.items() if key.startswith(BEHAVIOUR)]:
        parts += [
            "",
            "## Behaviour",
            "",
            *_table([(key.replace("_", " "), f"{value:.3f}", "", "") for key, value in behaviour if isinstance(value, float)]),
        ]
    parts += ["", "## Limits", "", *(f"- {limit}" for limit in limits), "", "## Training", "", _trained(training)]
    return "\n".join([*parts, "", f"Seed {params.seed}; the settings are the run's parameters."]) + "\n"


def _rows(lines: Sequence[Measure], metrics: Mapping[str, float | str]) -> Iterator[tuple[str, str, str, str]]:
    """Label, value, 95 % interval and reference of each figure that was measured."""
    for line in lines:
        value = metrics.get(line.key)
        if not isinstance(value, float | int):
            continue
        bounds = [metrics.get(f"{line.key}_{end}") for end in ("low", "high")]
        interval = " to ".join(format(bound, line.form) for bound in bounds if isinstance(bound, float))
        beside = next(
            (
                f"{format(found, line.form)} ({label})"
                for key, label in line.beside.items()
                if isinstance(found := metrics.get(key), float)
            ),
            "",
        )
        yield line.label, format(value, line.form), interval, beside


def _plain(metrics: Mapping[str, float | str]) -> Iterator[tuple[str, str, str, str]]:
    return ((key.replace("_", " "), f"{value:.4g}", "", "") for key, value in metrics.items() if isinstance(value, float))


def _table(rows: Iterator[tuple[str, str, str, str]] | Sequence[tuple[str, str, str, str]]) -> list[str]:
    head = ["| | value | 95 % interval | beside |", "|---|---|---|---|"]
    return head + [f"| {' | '.join(row)} |" for row in rows]


def _trained(training: Training | None) -> str:
    if training is None:
        return "No run of its training is known here."
    return (
        f"{training.seconds:.0f} s on up to {training.cores} cores; about {training.grams:.2g} g of CO2 equivalent, "
        f"estimated with {CORE_WATTS:g} W per core and {GRAMS_PER_KWH:g} g per kWh."
    )
