"""From requests of the contract to calls of the engines and back, one endpoint for each kind of bundle."""

from collections.abc import Callable, Hashable, Sequence
from functools import partial
from itertools import count, islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from models.text.characters import CharacterTokenizer
from models.text.special import UNK
from models.text.subwords import SubwordTokenizer
from models.text.word_tokenizer import WordTokenizer
from serving import contract
from serving.arrays import FloatArray
from serving.bundle import Bundle, Decoding
from serving.contract import (
    QUESTIONS,
    ClassificationRequest,
    GenerationRequest,
    R,
    Request,
    TranslationRequest,
    VectorsRequest,
    input_error,
    texts,
)
from serving.faults import RequestError, shown, unknown
from serving.predictors.classification import Classified, Classifier
from serving.predictors.contexts import Contexts
from serving.predictors.generation import Generator, Prompt
from serving.predictors.translation import Candidate, Translator
from serving.predictors.vectors import WordSpace
from serving.sampling import Sampling

Json = Any  # what json.dumps takes
Emit = Callable[[Json], None]  # sends a part of an answer ahead of the whole


class Endpoint(Protocol[R]):
    """What the predictor needs of a kind of model."""

    request: type[R]

    def check(self, request: R, /) -> None:
        """Refuse what only the bundle can tell is wrong: a label, a length, a limit.

        Raises:
            RequestError: it cannot be answered.
        """

    def group(self, request: R, /) -> Hashable:
        """A key; requests with equal keys share one pass through the model."""

    def answer(self, requests: Sequence[R], emits: Sequence[Emit], /) -> list[Json]:
        """The bodies of the answers to checked requests of one group; what is streamed goes to the request's emit first."""


class ClassificationEndpoint:
    """Class probabilities, best first."""

    request = ClassificationRequest

    def __init__(self, folder: Path, bundle: Bundle) -> None:
        self._classifier = Classifier(folder, bundle)

    def check(self, request: ClassificationRequest) -> None:
        """Refuse an empty or too long text, and a question about words to a model that reads characters."""
        if request.parameters.explain and self._classifier.units != "words":
            raise RequestError("invalid_parameter", "explain: this model reads no words, and so has no importance of any")
        for i, text in enumerate(texts(request)):
            length = len(self._classifier.tokenizer.encode(text))
            _check_length(request, i, length, self._classifier.bundle.max_length, self._classifier.units)

    def group(self, _: ClassificationRequest) -> Hashable:
        """All requests share one batch."""
        return None

    def answer(self, requests: Sequence[ClassificationRequest], _: Sequence[Emit]) -> list[Json]:
        """The best classes of each text, with its words where a request asks for them."""
        found = self._classifier.classify([text for r in requests for text in texts(r)])
        rows = count()
        return [_as_sent(r, [self._answer(text, found, next(rows), r.parameters) for text in texts(r)]) for r in requests]

    def _answer(self, text: str, found: Classified, row: int, parameters: contract.ClassificationParameters) -> Json:
        words = self._classifier.words(text)
        flag = {"unknown_words" if words else "unknown_characters": _unknown(self._classifier.tokenizer, text)}
        probabilities, labels = found.probabilities[row], self._classifier.bundle.labels
        order = np.argsort(-probabilities, kind="stable")[: parameters.top_k]
        best = [contract.LabelScore(label=labels[i], score=float(probabilities[i]), **flag) for i in order]
        if not parameters.explain:
            return [score.model_dump(exclude_none=True) for score in best]
        weighed = [
            contract.WordImportance(word=word, known=known, importance=round(importance, 4))
            for (word, known), importance in zip(words, found.importances[row].tolist(), strict=True)
        ]
        return contract.Explained(labels=best, words=weighed).model_dump(exclude_none=True)


class GenerationEndpoint:
    """Names continued from their beginnings."""

    request = GenerationRequest

    def __init__(self, folder: Path, bundle: Bundle) -> None:
        self._generator = Generator(folder, bundle)

    def check(self, request: GenerationRequest) -> None:
        """Refuse a label that is none, a limit beyond the longest name, and a beginning that leaves no room."""
        bundle, parameters = self._generator.bundle, request.parameters
        if parameters.label is not None and parameters.label not in bundle.labels:
            raise RequestError("unknown_label", unknown("label", parameters.label, bundle.labels))
        if parameters.max_new_tokens is not None and parameters.max_new_tokens > bundle.max_length:
            message = f"max_new_tokens: a name has at most {bundle.max_length} characters, not {parameters.max_new_tokens}"
            raise RequestError("invalid_parameter", message)
        if parameters.stream and not (isinstance(request.inputs, str) and parameters.num_return_sequences == 1):
            raise RequestError("invalid_parameter", "stream: takes a single text, not a list, and a single sequence")
        for i, text in enumerate(texts(request)):
            length = len(self._generator.tokenizer.encode(text))
            if length >= bundle.max_length:
                message = f"the text has {length} characters; the beginning of a name has at most {bundle.max_length - 1}"
                raise input_error(request, i, "input_too_long", message)

    def group(self, _: GenerationRequest) -> Hashable:
        """All requests share one batch: each row keeps its own settings and its own randomness."""
        return None

    def answer(self, requests: Sequence[GenerationRequest], emits: Sequence[Emit]) -> list[Json]:
        """The names that continue each text."""
        prompts = [
            [self._prompts(text, r.parameters, emit) for text in texts(r)] for r, emit in zip(requests, emits, strict=True)
        ]
        names = iter(self._generator.generate([p for inputs in prompts for sequences in inputs for p in sequences]))
        return [
            _as_sent(r, [[self._generated(p, next(names)) for p in sequences] for sequences in inputs])
            for r, inputs in zip(requests, prompts, strict=True)
        ]

    def _generated(self, prompt: Prompt, name: str) -> Json:
        unseen = _unknown(self._generator.tokenizer, prompt.text)
        answer = contract.GeneratedText(generated_text=name, label=prompt.label, unknown_characters=unseen)
        return answer.model_dump(exclude_none=True)

    def _prompts(self, text: str, parameters: contract.GenerationParameters, emit: Emit) -> list[Prompt]:
        """A prompt for each sequence of an input.

        Every input begins from the request's seed, and every sequence has a generator of its own: an answer depends on the
        input, the parameters and its number among the sequences, not on how many were asked for or what stands beside it.
        """
        bundle = self._generator.bundle
        room = bundle.max_length - len(self._generator.tokenizer.encode(text))
        sampling = Sampling(parameters.temperature, parameters.top_k, parameters.top_p)
        on_draw = partial(_emit_drawn, emit) if parameters.stream else None
        prompts = []
        for generator in np.random.default_rng(parameters.seed).spawn(parameters.num_return_sequences):
            # Drawn even where a label is given: asking for the one that would have been drawn gives the same name.
            drawn = bundle.labels[generator.integers(len(bundle.labels))]
            label = drawn if parameters.label is None else parameters.label
            prompts.append(Prompt(text, label, sampling, generator, min(parameters.max_new_tokens or room, room), on_draw))
        return prompts


class TranslationEndpoint:
    """Translations by beam search."""

    request = TranslationRequest

    def __init__(self, folder: Path, bundle: Bundle) -> None:
        self._translator = Translator(folder, bundle)

    def check(self, request: TranslationRequest) -> None:
        """Refuse more translations than the beam has hypotheses, and an empty or too long text."""
        wanted, beams = request.parameters.num_return_sequences, self._decoding(request).num_beams
        if wanted > beams:
            raise RequestError("invalid_parameter", f"num_return_sequences: at most num_beams, which is {beams}, not {wanted}")
        for i, text in enumerate(texts(request)):
            length = len(self._translator.tokenizer.encode(text))
            _check_length(request, i, length, self._translator.bundle.max_length, "subwords")

    def group(self, request: TranslationRequest) -> Hashable:
        """Requests that search alike share one beam search."""
        return self._decoding(request), request.parameters.num_return_sequences, request.parameters.attention

    def answer(self, requests: Sequence[TranslationRequest], _: Sequence[Emit]) -> list[Json]:
        """The best translation of each text, and what else was asked for."""
        decoding, parameters = self._decoding(requests[0]), requests[0].parameters
        found = iter(
            self._translator.translate(
                [text for r in requests for text in texts(r)],
                decoding,
                n_best=parameters.num_return_sequences,
                attention=parameters.attention,
            )
        )
        asked = parameters.num_return_sequences > 1
        tokenizer = self._translator.tokenizer
        return [[_translation(next(found), asked, _unknown(tokenizer, text)) for text in texts(r)] for r in requests]

    def _decoding(self, request: TranslationRequest) -> Decoding:
        """The request's settings, or the bundle's where it says nothing."""
        given = request.parameters.model_dump(include={*Decoding.model_fields}, exclude_none=True)
        return self._translator.decoding.model_copy(update=given)


class VectorsEndpoint:
    """Questions about words, answered from their vectors, and where there is a model of them, vectors of words in sentences."""

    request = VectorsRequest

    def __init__(self, folder: Path, bundle: Bundle) -> None:
        self._space = WordSpace(folder, bundle)
        self._contexts = Contexts(folder) if bundle.max_words is not None else None

    def check(self, request: VectorsRequest) -> None:
        """Refuse a text with too few or too many words for the question, and words that are too long or have no vector."""
        for i, text in enumerate(texts(request)):
            words = self._words(request, text)
            longest = max(map(len, words), default=0)
            if longest or not text.strip():  # what holds no word but is not empty has the wrong number of them
                _check_length(request, i, longest, self._space.bundle.max_length, "characters in a word")
            self._check_words(request, i, words)

    def _words(self, request: VectorsRequest, text: str) -> list[str]:
        if request.parameters.question != "context":
            return self._space.words(text)
        if self._contexts is None:
            raise RequestError("invalid_parameter", 'question: "context" needs contextual vectors, which this model has not')
        return self._contexts.words(text)

    def _check_words(self, request: VectorsRequest, index: int, words: list[str]) -> None:
        question, most = request.parameters.question, self._space.bundle.max_words or 0
        taken = range(1, most + 1) if question == "context" else range(QUESTIONS[question], QUESTIONS[question] + 1)
        if len(words) not in taken:
            allowed = "-".join(map(str, dict.fromkeys((taken[0], taken[-1]))))
            message = f'words in the text: {len(words)}; the question "{question}" takes {allowed}'
            raise input_error(request, index, "wrong_number_of_words", message)
        without = next((word for word in words if question != "context" and not self._space.has_vector(word)), None)
        if without is not None:
            raise input_error(request, index, "unknown_word", f"there is no vector of {shown(without)}")

    def group(self, request: VectorsRequest) -> Hashable:
        """Sentences share a batch; all other questions are answered together."""
        return request.parameters.question == "context"

    def answer(self, requests: Sequence[VectorsRequest], _: Sequence[Emit]) -> list[Json]:
        """What was asked of each text's words."""
        if self.group(requests[0]) and self._contexts:
            return self._in_context(self._contexts, requests)
        return [_as_sent(r, [self._answer(self._space.words(text), r.parameters) for text in texts(r)]) for r in requests]

    def _in_context(self, contexts: Contexts, requests: Sequence[VectorsRequest]) -> list[Json]:
        sentences = [[contexts.words(text) for text in texts(r)] for r in requests]
        found = iter(contexts.layers([sentence for group in sentences for sentence in group]))
        answers = []
        for r, group in zip(requests, sentences, strict=True):
            layers = islice(found, len(group))
            pairs = zip(group, (_pick(states, r.parameters.layer) for states in layers), strict=True)
            answers.append(_as_sent(r, [contract.WordsInContext(words=w, vectors=v.tolist()).model_dump() for w, v in pairs]))
        return answers

    def _answer(self, words: list[str], parameters: contract.VectorsParameters) -> Json:
        asked = [contract.AskedWord(word=word, known=self._space.knows(word)) for word in words]
        if parameters.question == "similarity":
            a, b = words
            return contract.Similarity(asked=asked, score=self._space.vectors.similarity(a, b)).model_dump()
        if parameters.question == "nearest":
            (word,) = words
            ranking = self._space.vectors.nearest(word, parameters.top_k)
        else:
            a, b, c = words
            ranking = self._space.vectors.analogy(a, b, c, parameters.top_k)
        nearest = [contract.WordScore(word=word, score=score) for word, score in ranking]
        return contract.NearestWords(asked=asked, nearest=nearest).model_dump()


def _pick(layers: FloatArray, layer: int | None) -> FloatArray:
    """One of the layers, or their mean: [3, T, 2d] -> [T, 2d]."""
    chosen: FloatArray = layers.mean(0) if layer is None else layers[layer]
    return chosen


def _check_length(request: Request, index: int, length: int, limit: int, unit: str) -> None:
    if length == 0:
        message = f"the text has no {unit}" if texts(request)[index].strip() else "the text is empty"
        raise input_error(request, index, "empty_input", message)
    if length > limit:
        raise input_error(request, index, "input_too_long", f"the text has {length} {unit}; this model takes at most {limit}")


def _as_sent(request: Request, answers: list[Json]) -> Json:
    """A single input gets its answer, a list of inputs a list of answers."""
    return answers[0] if isinstance(request.inputs, str) else answers


def _unknown(tokenizer: CharacterTokenizer | SubwordTokenizer | WordTokenizer, text: str) -> int | None:
    """How many of the text's characters or words the tokenizer does not know; None where it knows them all."""
    return tokenizer.encode(text).count(UNK) or None


def _emit_drawn(emit: Emit, token: str) -> None:
    emit(contract.Drawn(token=token).model_dump())


def _translation(candidates: list[Candidate], with_alternatives: bool, unseen: int | None) -> Json:
    best, *others = candidates
    alternatives = [contract.Alternative(translation_text=c.text, score=c.score) for c in others] if with_alternatives else None
    attention = None
    if best.alignment is not None:
        weights = best.alignment.weights.astype(np.float64).round(4).tolist()
        attention = contract.Attention(source=best.alignment.source, target=best.alignment.target, weights=weights)
    return contract.Translation(
        translation_text=best.text,
        score=best.score,
        unknown_characters=unseen,
        alternatives=alternatives,
        attention=attention,
    ).model_dump(exclude_none=True)
