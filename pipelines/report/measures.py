"""The rows of the tables in the pages: which figures they show, and under which label."""

from functools import cache
from pathlib import Path

from pydantic import Field

from pipelines import kinds
from pipelines.settings.params import load_params, read_settings
from pipelines.settings.section import Section
from pipelines.settings.vectors import ComovementQuestions

MEASURES = Path(__file__).with_name("measures.yaml")


class Measure(Section):
    """A row of a table; measures.yaml explains the keys."""

    source: str = ""
    key: str
    label: str
    form: str
    beside: dict[str, str] = Field(default_factory=dict)


class Folders(Section):
    """A row of the table of file sizes."""

    label: str
    folders: list[str]


class KindMeasures(Section):
    """The content of a kind's measures.yaml; `use` and `limits` are for the model card."""

    use: str
    limits: list[str]
    lines: list[Measure]


class Measures(Section):
    """The content of measures.yaml."""

    sections: dict[str, list[Measure]]
    comovements: list[Measure]
    storage: list[Folders]


@cache
def measures() -> Measures:
    """Return the rows of all tables."""
    return read_settings(MEASURES, Measures)


def of_kind(kind: str) -> KindMeasures:
    """Return what is said about the tasks of this kind."""
    (path,) = (Path(place) / kind / "measures.yaml" for place in kinds.__path__ if (Path(place) / kind).exists())
    return read_settings(path, KindMeasures)


def section(name: str) -> list[Measure]:
    """Return the rows of a table. The results start with those of the tasks."""
    return (of_tasks() if name == "results" else []) + measures().sections[name]


def of_tasks() -> list[Measure]:
    """Return the rows of each task, and of each block of vectors that is evaluated on stocks."""
    params = load_params()
    lines = {task: of_kind(block.kind).lines for task, block in params.tasks.items()}
    stocks = (name for name, block in params.vectors.items() if isinstance(block.evaluate, ComovementQuestions))
    lines |= dict.fromkeys(stocks, measures().comovements)
    return [line.model_copy(update={"source": source}) for source, found in lines.items() for line in found]
