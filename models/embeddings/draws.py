"""Random numbers of the kernels, and the random windows drawn with them."""

from typing import Any

import numpy as np

from models.cpu.compiled import inlined

GAMMA, MIX_1, MIX_2 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
SHIFT_1, SHIFT_2, SHIFT_3 = np.uint64(30), np.uint64(27), np.uint64(31)
LOW_BITS, HALF = np.uint64(0xFFFFFFFF), np.uint64(32)


@inlined
def next_random(state: Any) -> Any:
    """The next 64 random bits of SplitMix64 (Steele, Lea and Flood 2014, doi 10.1145/2660193.2660195).

    Args:
        state: uint64 [1], advanced.
    """
    state[0] += GAMMA
    bits = state[0]
    bits = (bits ^ (bits >> SHIFT_1)) * MIX_1
    bits = (bits ^ (bits >> SHIFT_2)) * MIX_2
    return bits ^ (bits >> SHIFT_3)


@inlined
def draw(table: Any, state: Any) -> Any:
    """A word from an `AliasTable`: the high bits choose a column, the low bits one of the two words there."""
    bits = next_random(state)
    column = np.int32(((bits >> HALF) * np.uint64(len(table.aliases))) >> HALF)
    return table.aliases[column] if (bits & LOW_BITS) >= table.thresholds[column] else column


@inlined
def keep_and_reach(words: Any, ends: Any, windows: Any, state: Any) -> int:
    """Skip occurrences of frequent words, then set the window of each remaining word: 1 to `reach` such words on each side.

    A window does not cross the end of its sentence.

    Args:
        words: int32 [N].
        ends: where each sentence ends, ascending to N, int64 [S].
        windows: a `Windows`; its arrays are filled.
        state: uint64 [1], advanced.

    Returns:
        The number of remaining words.
    """
    kept, first, last = windows.kept, windows.first, windows.last
    count, place = 0, 0
    for end in ends:
        start = count
        while place < end:
            bits, word = next_random(state), words[place]
            kept[count] = word
            first[count] = 1 + np.int64(((bits & LOW_BITS) * np.uint64(windows.reach)) >> HALF)
            count += (bits >> HALF) <= windows.keep[word]
            place += 1
        for i in range(start, count):
            reach = first[i]
            first[i], last[i] = max(start, i - reach), min(count, i + reach + 1)
    return count
