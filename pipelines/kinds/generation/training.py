"""Steps before and after training of the language model: there are none."""

from pathlib import Path

from models.generation.language_model import LanguageModel
from pipelines.kinds.generation.settings import GenerationTask
from pipelines.store import Rows


def begin(model: LanguageModel, task: GenerationTask, prepared: Path, train: Rows) -> None:
    """See `pipelines.kinds.parts.Training`: nothing to do."""


def finish(model: LanguageModel, task: GenerationTask, valid: Rows) -> None:
    """See `pipelines.kinds.parts.Training`: nothing to do."""
