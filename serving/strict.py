"""What all types of the contract have in common."""

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """Takes values of its fields' own types and no other fields, and never changes."""

    # Strict: "5" is no number and true no 1; a client that mixes them up should learn it at once.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
