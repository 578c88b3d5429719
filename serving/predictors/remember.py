"""A cache for tokenized texts: one request reads the same text when it is checked, answered and counted."""

from collections.abc import Callable
from functools import lru_cache
from typing import Final, TypeVar

REMEMBERED: Final = 128  # texts; more than a batch has
LONGEST: Final = 2_000  # characters; caching many of the longest texts would fill the memory

T = TypeVar("T")


def remember(read: Callable[[str], T]) -> Callable[[str], T]:
    """Cache a function's results for recent texts. Callers must not modify the results."""
    known = lru_cache(maxsize=REMEMBERED)(read)
    return lambda text: known(text) if len(text) <= LONGEST else read(text)
