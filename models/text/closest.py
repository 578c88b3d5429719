"""Suggestions for misspelled names."""

from collections.abc import Iterable
from difflib import get_close_matches

ALIKE = 0.6  # minimum of difflib's ratio; below it, a hint would mislead


def closest_name(name: str, valid: Iterable[str]) -> str | None:
    """The valid name most similar to `name`; None if none is similar."""
    return next(iter(get_close_matches(name, list(valid), n=1, cutoff=ALIKE)), None)
