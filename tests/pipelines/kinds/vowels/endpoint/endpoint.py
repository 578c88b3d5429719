"""The endpoint."""

from pathlib import Path

import numpy as np
from serving.endpoints.vowels.contract import Vowels, VowelsRequest

from models.text.characters import CharacterTokenizer
from models.text.special import PAD
from serving.bundle import GRAPH, TOKENIZER, Bundle
from serving.contract.requests import texts
from serving.endpoints.shared import as_sent, check_length
from serving.predictors.session import Session
from serving.telemetry.meter import Text


class Endpoint:
    request = VowelsRequest

    def __init__(self, folder: Path, bundle: Bundle) -> None:
        self._session, self._limit = Session(folder / GRAPH), bundle.max_length
        self._encode = CharacterTokenizer.load(folder / TOKENIZER).encode

    def check(self, request):
        for i, text in enumerate(texts(request)):
            check_length(request, i, len(self._encode(text)), self._limit, "characters")

    def group(self, request):
        return request.parameters.digits

    def answer(self, requests, _, watch):
        digits = requests[0].parameters.digits
        return [as_sent(r, [self._count(text, digits, watch) for text in texts(r)]) for r in requests]

    def measure(self, request, _):
        return [Text(len(self._encode(text))) for text in texts(request)]

    def _count(self, text, digits, watch):
        ids = self._encode(text)
        batch = np.full((1, max(len(ids), 1)), PAD, np.int64)
        batch[0, : len(ids)] = ids
        (found,) = self._session(watch, characters=batch)
        return Vowels(vowels=round(float(found[0]), digits)).model_dump()
