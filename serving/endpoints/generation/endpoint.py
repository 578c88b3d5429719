"""Endpoint of a name generator."""

from collections.abc import Hashable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from models.text.special import UNK
from serving.bundle import Bundle
from serving.contract.faults import RequestError, unknown
from serving.contract.requests import input_error, texts
from serving.endpoints.generation import contract as answers
from serving.endpoints.generation.contract import GenerationParameters, GenerationRequest
from serving.endpoints.shared import Emit, Json, as_list, as_sent, check_size, count_unknown
from serving.predictors.generation import Generator, Prompt
from serving.predictors.remember import remember
from serving.predictors.sampling import Sampling
from serving.predictors.watch import Watch
from serving.telemetry.meter import Text


class Endpoint:
    """Generation of names from their beginnings."""

    request = GenerationRequest

    def __init__(self, folder: Path, bundle: Bundle) -> None:
        self._generator = Generator(folder, bundle)
        self._encode = remember(self._generator.tokenizer.encode)

    def check(self, request: GenerationRequest) -> None:
        """Refuse an unknown label, a limit beyond the longest name, and a beginning that leaves no room for characters."""
        bundle, parameters = self._generator.bundle, request.parameters
        if parameters.label is not None and parameters.label not in bundle.labels:
            raise RequestError("unknown_label", unknown("label", parameters.label, bundle.labels))
        if parameters.max_new_tokens is not None and parameters.max_new_tokens > bundle.max_length:
            message = f"max_new_tokens: a name has at most {bundle.max_length} characters, not {parameters.max_new_tokens}"
            raise RequestError("invalid_parameter", message)
        if parameters.stream and not (request.single and parameters.num_return_sequences == 1):
            raise RequestError("invalid_parameter", "stream: only for a single text, not a list, and a single sequence")
        check_size(request, bundle.max_length - 1, "characters")
        for i, text in enumerate(texts(request)):
            length = len(self._encode(text))
            if length >= bundle.max_length:
                message = f"the text has {length} characters; the beginning of a name has at most {bundle.max_length - 1}"
                raise input_error(request, i, "input_too_long", message)

    def group(self, _: GenerationRequest) -> Hashable:
        """All requests share one batch: each row keeps its own settings and its own randomness."""
        return None

    def answer(self, requests: Sequence[GenerationRequest], emits: Sequence[Emit], watch: Watch) -> list[Json]:
        """The names that continue each text."""
        prompts = [
            [self._prompts(text, r.parameters, emit) for text in texts(r)] for r, emit in zip(requests, emits, strict=True)
        ]
        names = iter(self._generator.generate([p for inputs in prompts for sequences in inputs for p in sequences], watch=watch))
        return [
            as_sent(r, [[self._generated(p, next(names)) for p in sequences] for sequences in inputs])
            for r, inputs in zip(requests, prompts, strict=True)
        ]

    def measure(self, request: GenerationRequest, answer: Json) -> Iterator[Text]:
        """Length and unknown characters of each beginning, and the characters that were added to it."""
        for text, names in zip(texts(request), as_list(request, answer), strict=True):
            units = self._encode(text)  # not the characters as sent: normalization may combine several into one
            yield Text(
                len(units), units.count(UNK), sum(len(self._encode(name["generated_text"])) - len(units) for name in names)
            )

    def _generated(self, prompt: Prompt, name: str) -> Json:
        unseen = count_unknown(self._encode(prompt.text))
        answer = answers.GeneratedText(generated_text=name, label=prompt.label, unknown_characters=unseen)
        return answer.model_dump(exclude_none=True)

    def _prompts(self, text: str, parameters: GenerationParameters, emit: Emit) -> list[Prompt]:
        """Create a prompt for each sequence of an input.

        Every input starts from the request's seed, and every sequence has its own generator. An answer depends on the input,
        the parameters and its number among the sequences, but not on how many sequences or inputs the request has.
        """
        bundle = self._generator.bundle
        room = bundle.max_length - len(self._encode(text))
        sampling = Sampling(parameters.temperature, parameters.top_k, parameters.top_p)
        on_draw = partial(_emit_drawn, emit) if parameters.stream else None
        prompts = []
        for generator in np.random.default_rng(parameters.seed).spawn(parameters.num_return_sequences):
            # Drawn even if a label is given, so that giving the label that would be drawn yields the same name.
            drawn = bundle.labels[generator.integers(len(bundle.labels))]
            label = drawn if parameters.label is None else parameters.label
            prompts.append(Prompt(text, label, sampling, generator, min(parameters.max_new_tokens or room, room), on_draw))
        return prompts


def _emit_drawn(emit: Emit, token: str) -> None:
    emit(answers.Drawn(token=token).model_dump())
