"""Endpoint of a classifier."""

from collections.abc import Hashable, Iterator, Sequence
from itertools import count
from pathlib import Path

from models.text.special import UNK
from serving.bundle import Bundle
from serving.contract.faults import RequestError
from serving.contract.requests import texts
from serving.endpoints.classification.contract import ClassificationParameters, ClassificationRequest
from serving.endpoints.shared import Emit, Json, as_list, as_sent, check_length, check_size, count_unknown
from serving.predictors.classification import Classified, Classifier
from serving.predictors.watch import Watch
from serving.telemetry.meter import Text


class Endpoint:
    """Class probabilities, best first."""

    request = ClassificationRequest

    def __init__(self, folder: Path, bundle: Bundle) -> None:
        self._classifier = Classifier(folder, bundle)
        self._encode = self._classifier.encode

    def check(self, request: ClassificationRequest) -> None:
        """Refuse empty and too long texts, and `explain` for a model that reads characters."""
        if request.parameters.explain and self._classifier.units == "characters":
            raise RequestError("invalid_parameter", "explain: this model reads characters and has no word importances")
        longest, units = self._classifier.bundle.max_length, self._classifier.units
        check_size(request, longest, units)
        for i, text in enumerate(texts(request)):
            check_length(request, i, len(self._encode(text)), longest, units)

    def group(self, _: ClassificationRequest) -> Hashable:
        """All requests share one batch."""
        return None

    def answer(self, requests: Sequence[ClassificationRequest], _: Sequence[Emit], watch: Watch) -> list[Json]:
        """The best classes of each text, with its words if the request has `explain`."""
        found = self._classifier.classify([text for r in requests for text in texts(r)], watch=watch)
        rows = count()
        return [as_sent(r, [self._answer(text, found, next(rows), r.parameters) for text in texts(r)]) for r in requests]

    def measure(self, request: ClassificationRequest, answer: Json) -> Iterator[Text]:
        """Length, unknown units, the best label and the content of each text."""
        for text, found in zip(texts(request), as_list(request, answer), strict=True):
            best = found["labels"][0] if request.parameters.explain else found[0]
            units = self._encode(text)
            yield Text(len(units), units.count(UNK), label=best["label"], content=self._classifier.read(text), ids=units)

    def _answer(self, text: str, found: Classified, row: int, parameters: ClassificationParameters) -> Json:
        unseen = count_unknown(self._encode(text))
        flag = {"unknown_words" if self._classifier.units == "words" else "unknown_characters": unseen} if unseen else {}
        probabilities, labels = found.probabilities[row].tolist(), self._classifier.bundle.labels
        order = sorted(range(len(labels)), key=probabilities.__getitem__, reverse=True)[: parameters.top_k]
        # Dicts in the form of `contract.LabelScore`: creating the pydantic objects would take as long as all the rest.
        best: Json = [{"label": labels[i], "score": probabilities[i], **flag} for i in order]
        if not parameters.explain:
            return best
        weighed = [
            {"word": word, "known": known, "importance": round(importance, 4)}
            for (word, known), importance in zip(self._classifier.tokens(text), found.importances[row].tolist(), strict=True)
        ]
        return {"labels": best, "words": weighed}
