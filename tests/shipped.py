"""Typed access to the settings of the shipped tasks."""

from pipelines.kinds.classification.settings import CharactersTask, WordsTask
from pipelines.kinds.generation.settings import GenerationTask
from pipelines.kinds.translation.settings import TranslationTask
from pipelines.settings.params import Params


def surname(params: Params) -> CharactersTask:
    return params.task_of("surname", CharactersTask)


def names(params: Params) -> GenerationTask:
    return params.task_of("names", GenerationTask)


def fr_en(params: Params) -> TranslationTask:
    return params.task_of("fr-en", TranslationTask)


def sentiment(params: Params) -> WordsTask:
    return params.task_of("sentiment", WordsTask)
