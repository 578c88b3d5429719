"""Requests to generators, and their answers."""

from typing import Annotated, Final

from pydantic import Field, TypeAdapter

from serving.bundle import GRAPH, TOKENIZER
from serving.contract.requests import TextRequest, UnknownCharacters
from serving.contract.strict import Strict

NEEDED: Final = ("labels",)
ALLOWED: Final = ()
FILES: Final = (TOKENIZER, GRAPH)
MaxSequences = Annotated[int, Field(ge=1, le=16)]


class GenerationParameters(Strict):
    """How a name is continued."""

    label: str | None = Field(default=None, description="condition of the name; default: a random one for each sequence")
    temperature: float = Field(
        default=1.0,
        ge=0,
        le=5,
        allow_inf_nan=False,
        description="divides the logits; 0: the most probable character; default 1",
    )
    top_k: int | None = Field(default=None, ge=1, description="draw from the k most probable characters; default: from all")
    top_p: float = Field(
        default=1.0,
        gt=0,
        le=1,
        allow_inf_nan=False,
        description="draw from the smallest set of this total probability; default 1",
    )
    seed: int | None = Field(
        default=None, ge=0, lt=2**63, description="the same input with the same seed gets the same answer; default: a random seed"
    )
    num_return_sequences: MaxSequences = Field(default=1, description="names for each input, 1 to 16; default 1")
    max_new_tokens: int | None = Field(
        default=None,
        ge=1,
        description="maximum number of characters to add; default: up to the model's longest name, which always limits it",
    )
    top_n_tokens: int | None = Field(
        default=None,
        ge=1,
        le=20,
        description="also return the n most probable next characters at each position, from the distribution that was drawn "
        "from; default: none",
    )
    stream: bool = Field(
        default=False,
        description="send each character as it is drawn, as one JSON object per line, and the answer as the last line; "
        "only for a single text and a single sequence; default false",
    )


class TokenProbability(Strict):
    """A character and its probability; the character "" is the end of the name."""

    token: str
    probability: float


class Drawn(Strict):
    """A character that was added to the name. Each line of a streamed answer is one, except the last line.

    With `top_n_tokens`, the end of the name is also one, with the token "". It is missing if the name ended at its limit.
    """

    token: str
    top_tokens: Annotated[
        list[TokenProbability] | None,
        Field(
            description="the most probable characters at this position, best first, with their probabilities after temperature, "
            "top_k and top_p; only those above zero; absent without top_n_tokens"
        ),
    ] = None


class GeneratedText(Strict):
    """A generated name and its condition. The answer to an input is a list of them."""

    generated_text: str
    label: str
    unknown_characters: UnknownCharacters = None
    tokens: Annotated[
        list[Drawn] | None, Field(description="the characters that were added to the name; absent without top_n_tokens")
    ] = None


Names = list[GeneratedText]
ONE: Final = TypeAdapter(Names)


class GenerationRequest(TextRequest):
    """Beginnings of names to continue; "" generates whole names."""

    parameters: GenerationParameters = GenerationParameters()

    def read(self, content: object) -> list[Names]:
        """See Request."""
        return [ONE.validate_python(answer) for answer in self.each(content)]


REQUEST: Final = GenerationRequest
ANSWER: Final = TypeAdapter[object](Names | list[Names])
LINE: Final = TypeAdapter(Drawn)  # of a streamed answer, except the last line, which is the whole answer
