"""Settings and paths of the study."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from models.names import CellName, DaysName
from pipelines.settings.params import read_settings
from pipelines.settings.section import Count, Positive, Section
from pipelines.stage import StageError

NAME = "finance"
SETTINGS = Path(__file__).with_name("params.yaml")
FOUND = Path("build/studies") / NAME
COMMAND = f"make study NAME={NAME}"


class Variant(Section):
    """A task's model with another cell or attention."""

    task: str
    cell: CellName
    attention: DaysName


class FinanceStudy(Section):
    """Settings of the study, see params.yaml in this folder."""

    seeds: Annotated[list[Count], Field(min_length=2)]
    refit_every: Positive
    valid_days: Positive
    variants: dict[str, Variant]

    def variant(self, name: str) -> Variant:
        """One variant. Raises StageError for an unknown name."""
        if name not in self.variants:
            raise StageError(f"there is no variant {name!r}; valid: {', '.join(self.variants)}")
        return self.variants[name]


def settings() -> FinanceStudy:
    """Read the study's settings."""
    return read_settings(SETTINGS, FinanceStudy)
