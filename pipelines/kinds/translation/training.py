"""Steps before and after training of the translator: there are none."""

from pathlib import Path

from models.translation.translator import Translator
from pipelines.kinds.translation.settings import TranslationTask
from pipelines.store import Rows


def begin(model: Translator, task: TranslationTask, prepared: Path, train: Rows) -> None:
    """See `pipelines.kinds.parts.Training`: nothing to do."""


def finish(model: Translator, task: TranslationTask, valid: Rows) -> None:
    """See `pipelines.kinds.parts.Training`: nothing to do."""
