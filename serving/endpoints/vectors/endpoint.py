"""Endpoint of word vectors."""

from collections.abc import Hashable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from models.text.vectors import Ranking, UnknownWord
from serving.bundle import Bundle
from serving.contract.faults import RequestError, shown
from serving.contract.requests import input_error, texts
from serving.endpoints.shared import Emit, Json, as_sent, check_length, check_size
from serving.endpoints.vectors import contract as answers
from serving.endpoints.vectors.contract import QUESTIONS, VectorsParameters, VectorsRequest
from serving.predictors.arrays import FloatArray
from serving.predictors.contexts import Contexts
from serving.predictors.vectors import WordSpace, WordSpaces
from serving.predictors.watch import Watch
from serving.telemetry.meter import Text


class Endpoint:
    """Questions about words, answered from their vectors, and contextual vectors if the bundle has a model for them."""

    request = VectorsRequest

    def __init__(self, folder: Path, bundle: Bundle) -> None:
        self._spaces = WordSpaces(folder, bundle)
        self._contexts = Contexts(folder) if bundle.max_words is not None else None

    def check(self, request: VectorsRequest) -> None:
        """Refuse a wrong number of words for the question, too long words, and words without a vector."""
        longest_word = self._spaces.bundle.max_length
        most_words = max(self._spaces.bundle.max_words or 0, *(most for _, most in QUESTIONS.values()))
        check_size(request, most_words, "words", characters=longest_word + 1)
        for i, text in enumerate(texts(request)):
            words = self._words(request, text)
            longest = max(map(len, words), default=0)
            if longest or not text.strip():  # a text without words that is not empty has the wrong number of words
                check_length(request, i, longest, longest_word, "characters in a word")
            self._check_words(request, i, words)

    def _words(self, request: VectorsRequest, text: str) -> list[str]:
        if request.parameters.question != "context":
            return self._spaces.words(text)
        if self._contexts is None:
            raise RequestError(
                "invalid_parameter", 'question: "context" needs contextual vectors, which this model does not have'
            )
        return self._contexts.words(text)

    def _check_words(self, request: VectorsRequest, index: int, words: list[str]) -> None:
        question = request.parameters.question
        least, most = (1, self._spaces.bundle.max_words or 0) if question == "context" else QUESTIONS[question]
        if not least <= len(words) <= most:
            allowed = "-".join(map(str, dict.fromkeys((least, most))))
            message = f'words in the text: {len(words)}; the question "{question}" takes {allowed}'
            raise input_error(request, index, "wrong_number_of_words", message)
        if question == "context":
            return
        try:
            self._spaces.answering(words)
        except UnknownWord as error:
            raise input_error(request, index, "unknown_word", f"there is no vector for {shown(error.args[0])}") from error

    def group(self, request: VectorsRequest) -> Hashable:
        """Sentences for "context" share a batch; all other questions form another group."""
        return request.parameters.question == "context"

    def answer(self, requests: Sequence[VectorsRequest], _: Sequence[Emit], watch: Watch) -> list[Json]:
        """The answers to the question about each text's words."""
        if self.group(requests[0]) and self._contexts:
            return self._in_context(self._contexts, requests, watch)
        return [as_sent(r, [self._answer(text, r.parameters, watch) for text in texts(r)]) for r in requests]

    def measure(self, request: VectorsRequest, _: Json) -> Iterator[Text]:
        """Number of words of each text, and of those that are in no vocabulary."""
        for text in texts(request):
            words = self._words(request, text)
            yield Text(len(words), sum(not self._spaces.knows(word) for word in words))

    def _in_context(self, contexts: Contexts, requests: Sequence[VectorsRequest], watch: Watch) -> list[Json]:
        sentences = [[contexts.words(text) for text in texts(r)] for r in requests]
        found = iter(contexts.layers([sentence for group in sentences for sentence in group], watch=watch))
        bodies = []
        for r, group in zip(requests, sentences, strict=True):
            layers = islice(found, len(group))
            pairs = zip(group, (_pick(states, r.parameters.layer) for states in layers), strict=True)
            bodies.append(as_sent(r, [answers.WordsInContext(words=w, vectors=v.tolist()).model_dump() for w, v in pairs]))
        return bodies

    def _answer(self, text: str, parameters: VectorsParameters, watch: Watch) -> Json:
        watch.check()  # a ranking reads all vectors
        space = self._spaces.answering(self._spaces.words(text))
        words = [space.look_up(word) for word in self._spaces.words(text)]
        asked = [answers.AskedWord(word=word, known=space.knows(word)) for word in words]
        if parameters.question == "similarity":
            a, b = words
            score = space.vectors.similarity(a, b)
            return answers.Similarity(method=space.method, asked=asked, score=score).model_dump()
        if parameters.question == "map":
            places = space.places(words, parameters.top_k, watch).items()
            shown = [answers.WordPlace(word=word, x=x, y=y) for word, (x, y) in places]
            return answers.WordsOnMap(method=space.method, asked=asked, words=shown).model_dump()
        nearest = [answers.WordScore(word=word, score=score) for word, score in _ranking(space, words, parameters)]
        return answers.NearestWords(method=space.method, asked=asked, nearest=nearest).model_dump()


def _ranking(space: WordSpace, words: list[str], parameters: VectorsParameters) -> Ranking:
    """The answer to "nearest" or "analogy"."""
    if parameters.question == "nearest":
        (word,) = words
        return space.vectors.nearest(word, parameters.top_k)
    a, b, c = words
    return space.vectors.analogy(a, b, c, parameters.top_k)


def _pick(layers: FloatArray, layer: int | None) -> FloatArray:
    """Select a layer, or take the mean of all: [3, T, 2d] -> [T, 2d]."""
    chosen: FloatArray = layers.mean(0) if layer is None else layers[layer]
    return chosen
