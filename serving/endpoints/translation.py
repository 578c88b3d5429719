"""Requests to a translator."""

from collections.abc import Hashable, Iterator, Sequence
from pathlib import Path

import numpy as np

from models.text.special import UNK
from serving import answers
from serving.bundle import Bundle, Decoding
from serving.contract import TranslationRequest, texts
from serving.endpoints.endpoint import Emit, Json, check_length, count_unknown, remember
from serving.faults import RequestError
from serving.meter import Text
from serving.predictors.translation import Candidate, Translator
from serving.watch import Watch


class TranslationEndpoint:
    """Translations by beam search."""

    request = TranslationRequest

    def __init__(self, folder: Path, bundle: Bundle) -> None:
        self._translator = Translator(folder, bundle)
        self._encode = remember(self._translator.tokenizer.encode)

    def check(self, request: TranslationRequest) -> None:
        """Refuse more translations than the beam has hypotheses, and an empty or too long text."""
        wanted, beams = request.parameters.num_return_sequences, self._decoding(request).num_beams
        if wanted > beams:
            raise RequestError("invalid_parameter", f"num_return_sequences: at most num_beams, which is {beams}, not {wanted}")
        for i, text in enumerate(texts(request)):
            length = len(self._encode(text))
            check_length(request, i, length, self._translator.bundle.max_length, "subwords")

    def group(self, request: TranslationRequest) -> Hashable:
        """Requests that search alike share one beam search."""
        return self._decoding(request), request.parameters.num_return_sequences, request.parameters.attention

    def answer(self, requests: Sequence[TranslationRequest], _: Sequence[Emit], watch: Watch) -> list[Json]:
        """The best translation of each text, and what else was asked for."""
        decoding, parameters = self._decoding(requests[0]), requests[0].parameters
        found = iter(
            self._translator.translate(
                [text for r in requests for text in texts(r)],
                decoding,
                n_best=parameters.num_return_sequences,
                attention=parameters.attention,
                watch=watch,
            )
        )
        asked = parameters.num_return_sequences > 1
        return [[_translation(next(found), asked, count_unknown(self._encode(text))) for text in texts(r)] for r in requests]

    def measure(self, request: TranslationRequest, answer: Json) -> Iterator[Text]:
        """Subwords of each text, those unknown, and those of its translation."""
        for text, found in zip(texts(request), answer, strict=True):
            units = self._encode(text)
            yield Text(len(units), units.count(UNK), len(self._encode(found["translation_text"])))

    def _decoding(self, request: TranslationRequest) -> Decoding:
        """The request's settings, or the bundle's where it says nothing."""
        given = request.parameters.model_dump(include={*Decoding.model_fields}, exclude_none=True)
        return self._translator.decoding.model_copy(update=given)


def _translation(candidates: list[Candidate], with_alternatives: bool, unseen: int | None) -> Json:
    best, *others = candidates
    alternatives = [answers.Alternative(translation_text=c.text, score=c.score) for c in others] if with_alternatives else None
    attention = None
    if best.alignment is not None:
        weights = best.alignment.weights.astype(np.float64).round(4).tolist()
        attention = answers.Attention(source=best.alignment.source, target=best.alignment.target, weights=weights)
    return answers.Translation(
        translation_text=best.text,
        score=best.score,
        unknown_characters=unseen,
        alternatives=alternatives,
        attention=attention,
    ).model_dump(exclude_none=True)
