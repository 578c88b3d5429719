"""Endpoint of a name generator."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from models.text.special import UNK
from serving.bundle import Bundle
from serving.contract.faults import RequestError, unknown
from serving.contract.requests import input_error, texts
from serving.endpoints.generation import contract as answers
from serving.endpoints.generation.contract import GenerationParameters, GenerationRequest
from serving.endpoints.shared import Emit, Json, as_list, as_sent, check_size, count_unknown
from serving.predictors.generation import DrawnToken, Generator, Prompt
from serving.predictors.remember import remember
from serving.predictors.sampling import Sampling
from serving.predictors.watch import Watch
from serving.telemetry.meter import Text

MOST_PROBABILITIES: Final = 60_000  # of an answer, up to 5.5 MB as JSON; TorchServe sends answers of up to 6.5 MB


@dataclass(frozen=True)
class _Sequence:
    """A sequence of an input.

    Attributes:
        prompt: what the generator gets.
        tokens: its characters for the answer, which arrive while they are drawn; None if the answer has none.
    """

    prompt: Prompt
    tokens: list[answers.Drawn] | None


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
        self._check_top_tokens(request)
        check_size(request, bundle.max_length - 1, "characters")
        for i, text in enumerate(texts(request)):
            length = len(self._encode(text))
            if length >= bundle.max_length:
                message = f"the text has {length} characters; the beginning of a name has at most {bundle.max_length - 1}"
                raise input_error(request, i, "input_too_long", message)

    def _check_top_tokens(self, request: GenerationRequest) -> None:
        """Refuse an answer with more probabilities than TorchServe may be able to send."""
        parameters, limit = request.parameters, self._generator.bundle.max_length
        names = len(texts(request)) * parameters.num_return_sequences
        longest = min(parameters.max_new_tokens or limit, limit)
        if names * longest * (parameters.top_n_tokens or 0) > MOST_PROBABILITIES:
            message = (
                f"top_n_tokens: {names} names of up to {longest} characters with {parameters.top_n_tokens} probabilities each; "
                f"an answer has at most {MOST_PROBABILITIES} probabilities"
            )
            raise RequestError("invalid_parameter", message)

    def group(self, _: GenerationRequest) -> Hashable:
        """All requests share one batch: each row keeps its own settings and its own randomness."""
        return None

    def answer(self, requests: Sequence[GenerationRequest], emits: Sequence[Emit], watch: Watch) -> list[Json]:
        """The names that continue each text."""
        inputs = [
            [self._sequences(text, r.parameters, emit) for text in texts(r)] for r, emit in zip(requests, emits, strict=True)
        ]
        prompts = [sequence.prompt for of_request in inputs for of_text in of_request for sequence in of_text]
        names = iter(self._generator.generate(prompts, watch=watch))
        return [
            as_sent(r, [[self._generated(sequence, next(names)) for sequence in of_text] for of_text in of_request])
            for r, of_request in zip(requests, inputs, strict=True)
        ]

    def measure(self, request: GenerationRequest, answer: Json) -> Iterator[Text]:
        """Length and unknown characters of each beginning, and the characters that were added to it."""
        for text, names in zip(texts(request), as_list(request, answer), strict=True):
            units = self._encode(text)  # not the characters as sent: normalization may combine several into one
            yield Text(
                len(units), units.count(UNK), sum(len(self._encode(name["generated_text"])) - len(units) for name in names)
            )

    def _generated(self, sequence: _Sequence, name: str) -> Json:
        label, unseen = sequence.prompt.label, count_unknown(self._encode(sequence.prompt.text))
        answer = answers.GeneratedText(generated_text=name, label=label, unknown_characters=unseen, tokens=sequence.tokens)
        return answer.model_dump(exclude_none=True)

    def _sequences(self, text: str, parameters: GenerationParameters, emit: Emit) -> list[_Sequence]:
        """Create the sequences of an input.

        Every input starts from the request's seed, and every sequence has its own generator. An answer depends on the input,
        the parameters and its number among the sequences, but not on how many sequences or inputs the request has.
        """
        bundle = self._generator.bundle
        room = bundle.max_length - len(self._encode(text))
        sampling = Sampling(parameters.temperature, parameters.top_k, parameters.top_p)
        limit, sequences = min(parameters.max_new_tokens or room, room), []
        for generator in np.random.default_rng(parameters.seed).spawn(parameters.num_return_sequences):
            # Drawn even if a label is given, so that giving the label that would be drawn yields the same name.
            drawn = bundle.labels[generator.integers(len(bundle.labels))]
            label = drawn if parameters.label is None else parameters.label
            tokens: list[answers.Drawn] | None = [] if parameters.top_n_tokens else None
            listens = parameters.stream or tokens is not None
            on_draw = partial(_on_draw, tokens, emit if parameters.stream else None) if listens else None
            prompt = Prompt(text, label, sampling, generator, limit, on_draw, parameters.top_n_tokens or 0)
            sequences.append(_Sequence(prompt, tokens))
        return sequences


def _on_draw(tokens: list[answers.Drawn] | None, emit: Emit | None, drawn: DrawnToken) -> None:
    """Add a drawn character to the answer's `tokens` and stream it; the end of a name only if the answer has `tokens`."""
    if tokens is None and not drawn.token:
        return
    top = None if tokens is None else [answers.TokenProbability(token=token, probability=p) for token, p in drawn.top]
    part = answers.Drawn(token=drawn.token, top_tokens=top)
    if tokens is not None:
        tokens.append(part)
    if emit:
        emit(part.model_dump(exclude_none=True))
