"""Endpoint of a translator."""

from collections.abc import Hashable, Iterator, Sequence
from pathlib import Path

import numpy as np

from models.text.normalize import normalize
from models.text.special import UNK
from serving.bundle import Bundle, Decoding
from serving.contract.faults import MAX_INPUTS, RequestError
from serving.contract.requests import input_error, texts
from serving.endpoints.shared import Emit, Json, check_length, check_size, count_unknown
from serving.endpoints.translation import contract as answers
from serving.endpoints.translation.contract import TranslationParameters, TranslationRequest
from serving.predictors.search import Node
from serving.predictors.translation import Alignment, Candidate, TranslatedSentence, Translator
from serving.predictors.watch import Watch
from serving.telemetry.meter import Text


class Endpoint:
    """Translations by beam search."""

    request = TranslationRequest

    def __init__(self, folder: Path, bundle: Bundle) -> None:
        self._translator = Translator(folder, bundle)
        self._read = self._translator.read

    def check(self, request: TranslationRequest) -> None:
        """Refuse more translations than the beam has hypotheses, empty texts, and texts and sentences that are too long."""
        wanted, beams = request.parameters.num_return_sequences, self._decoding(request).num_beams
        if wanted > beams:
            raise RequestError("invalid_parameter", f"num_return_sequences: at most num_beams, which is {beams}, not {wanted}")
        if request.parameters.tree and not request.single:
            raise RequestError("invalid_parameter", "tree: only for a single text, not a list")
        longest, most = self._translator.bundle.max_length, self._translator.bundle.max_sentences or 1
        check_size(request, most * longest, "subwords", characters=4)
        total = 0
        for i, text in enumerate(texts(request)):
            sentences = [len(ids) - 1 for ids in self._read(text).ids]
            check_length(request, i, len(sentences), most, "sentences")
            if max(sentences) > longest:
                which = f"sentence {sentences.index(max(sentences)) + 1} of the text" if len(sentences) > 1 else "the text"
                message = f"{which} has {max(sentences)} subwords; this model takes at most {longest} in a sentence"
                raise input_error(request, i, "input_too_long", message)
            total += sum(sentences)
            if total > MAX_INPUTS * longest:
                message = f"the texts have more than {MAX_INPUTS * longest} subwords; send them in several requests"
                raise input_error(request, i, "input_too_long", message)

    def group(self, request: TranslationRequest) -> Hashable:
        """Requests with the same settings share one beam search."""
        asked = request.parameters
        return self._decoding(request), asked.num_return_sequences, asked.attention, asked.tree

    def answer(self, requests: Sequence[TranslationRequest], _: Sequence[Emit], watch: Watch) -> list[Json]:
        """The best translation of each text, and what else was requested."""
        decoding, parameters = self._decoding(requests[0]), requests[0].parameters
        found = iter(
            self._translator.translate(
                [text for r in requests for text in texts(r)],
                decoding,
                n_best=parameters.num_return_sequences,
                attention=parameters.attention,
                tree=parameters.tree,
                watch=watch,
            )
        )
        return [[self._translation(text, next(found), r.parameters) for text in texts(r)] for r in requests]

    def measure(self, request: TranslationRequest, answer: Json) -> Iterator[Text]:
        """Subwords of each text, unknown subwords, subwords of its translation, and the content of the text."""
        for text, found in zip(texts(request), answer, strict=True):
            units = self._ids(text)
            produced = len(self._translator.tokenizer.encode(found["translation_text"]))
            content = normalize(" ".join(self._read(text).usual))
            yield Text(len(units), units.count(UNK), produced, content=content, ids=units)

    def _ids(self, text: str) -> list[int]:
        """The subword ids of all sentences of a text."""
        return [i for ids in self._read(text).ids for i in ids[:-1]]

    def _decoding(self, request: TranslationRequest) -> Decoding:
        """The request's settings, completed with the bundle's defaults."""
        given = request.parameters.model_dump(include={*Decoding.model_fields}, exclude_none=True)
        return self._translator.decoding.model_copy(update=given)

    def _translation(self, text: str, candidates: list[Candidate], parameters: TranslationParameters) -> Json:
        best, *others = candidates
        several = len(best.sentences) > 1
        shown = parameters.sentences or (several and (parameters.attention or parameters.tree))

        def sentences(candidate: Candidate) -> list[answers.Sentence] | None:
            return [self._sentence(s, with_tree=candidate is best) for s in candidate.sentences] if shown else None

        alternatives = [answers.Alternative(translation_text=c.text, score=c.score, sentences=sentences(c)) for c in others]
        return answers.Translation(
            translation_text=best.text,
            score=best.score,
            unknown_characters=count_unknown(self._ids(text)),
            alternatives=alternatives if parameters.num_return_sequences > 1 else None,
            attention=None if several else _attention(best.sentences[0].alignment),
            tree=None if several else self._tree(best.sentences[0].search),
            sentences=sentences(best),
        ).model_dump(exclude_none=True)

    def _sentence(self, found: TranslatedSentence, *, with_tree: bool) -> answers.Sentence:
        return answers.Sentence(
            source_text=found.source,
            translation_text=found.text,
            score=found.score,
            attention=_attention(found.alignment),
            tree=self._tree(found.search) if with_tree else None,
        )

    def _tree(self, search: list[Node] | None) -> list[answers.Hypothesis] | None:
        if search is None:
            return None
        pieces = self._translator.tokenizer.pieces([node.prefix[-1] for node in search])
        return [
            answers.Hypothesis(
                piece=piece,
                parent=node.parent,
                log_probability=round(node.log_probability, 4),
                rank=None if node.rank is None else node.rank + 1,
            )
            for piece, node in zip(pieces, search, strict=True)
        ]


def _attention(alignment: Alignment | None) -> answers.Attention | None:
    if alignment is None:
        return None
    weights = alignment.weights.astype(np.float64).round(4).tolist()
    return answers.Attention(source=alignment.source, target=alignment.target, weights=weights)
