"""Base class of all types of the contract."""

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """An immutable model that accepts only values of the exact types, and no additional fields."""

    # Strict: "5" is not a number and true is not 1; a client that confuses them should get an error at once.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
