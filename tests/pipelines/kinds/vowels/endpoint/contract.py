"""Schemas of requests and answers."""

from pydantic import Field, TypeAdapter

from serving.bundle import GRAPH, TOKENIZER
from serving.contract.requests import TextRequest
from serving.contract.strict import Strict

NEEDED = ()
ALLOWED = ()
FILES = (TOKENIZER, GRAPH)


class VowelsParameters(Strict):
    digits: int = Field(default=3, ge=0, le=9, description="digits behind the point")


class VowelsRequest(TextRequest):
    parameters: VowelsParameters = VowelsParameters()


class Vowels(Strict):
    vowels: float


REQUEST = VowelsRequest
ANSWER = TypeAdapter(Vowels | list[Vowels])
