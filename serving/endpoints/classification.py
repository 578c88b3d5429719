"""Requests to a classifier."""

from collections.abc import Hashable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from models.text.special import UNK
from serving import answers
from serving.bundle import Bundle
from serving.contract import ClassificationParameters, ClassificationRequest, texts
from serving.endpoints.endpoint import Emit, Json, as_list, as_sent, check_length, count_unknown, remember
from serving.faults import RequestError
from serving.meter import Text
from serving.predictors.classification import Classified, Classifier
from serving.watch import Watch

SCORES: Final = TypeAdapter(list[answers.LabelScore])


class ClassificationEndpoint:
    """Class probabilities, best first."""

    request = ClassificationRequest

    def __init__(self, folder: Path, bundle: Bundle) -> None:
        self._classifier = Classifier(folder, bundle)
        self._encode = remember(self._classifier.tokenizer.encode)

    def check(self, request: ClassificationRequest) -> None:
        """Refuse an empty or too long text, and a question about words to a model that reads characters."""
        if request.parameters.explain and self._classifier.units != "words":
            raise RequestError("invalid_parameter", "explain: this model reads no words, and so has no importance of any")
        for i, text in enumerate(texts(request)):
            length = len(self._encode(text))
            check_length(request, i, length, self._classifier.bundle.max_length, self._classifier.units)

    def group(self, _: ClassificationRequest) -> Hashable:
        """All requests share one batch."""
        return None

    def answer(self, requests: Sequence[ClassificationRequest], _: Sequence[Emit], watch: Watch) -> list[Json]:
        """The best classes of each text, with its words where a request asks for them."""
        found = self._classifier.classify([text for r in requests for text in texts(r)], watch=watch)
        rows = count()
        return [as_sent(r, [self._answer(text, found, next(rows), r.parameters) for text in texts(r)]) for r in requests]

    def measure(self, request: ClassificationRequest, answer: Json) -> Iterator[Text]:
        """Length, unknown units and the best label of each text."""
        for text, found in zip(texts(request), as_list(request, answer), strict=True):
            best = found["labels"][0] if request.parameters.explain else found[0]
            units = self._encode(text)
            yield Text(len(units), units.count(UNK), label=best["label"])

    def _answer(self, text: str, found: Classified, row: int, parameters: ClassificationParameters) -> Json:
        words = self._classifier.words(text)
        unseen = count_unknown(self._encode(text))
        flag = {"unknown_words" if words else "unknown_characters": unseen} if unseen else {}
        probabilities, labels = found.probabilities[row].tolist(), self._classifier.bundle.labels
        order = sorted(range(len(labels)), key=lambda i: -probabilities[i])[: parameters.top_k]
        best = [answers.LabelScore(label=labels[i], score=probabilities[i], **flag) for i in order]
        if not parameters.explain:
            return SCORES.dump_python(best, exclude_unset=True)
        weighed = [
            answers.WordImportance(word=word, known=known, importance=round(importance, 4))
            for (word, known), importance in zip(words, found.importances[row].tolist(), strict=True)
        ]
        return answers.Explained(labels=best, words=weighed).model_dump(exclude_unset=True)
