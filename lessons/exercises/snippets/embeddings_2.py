"""Leave out frequent words at random, as word2vec does."""

import numpy as np

from lessons.word2vec import kept

counts = np.array([10_000, 100, 89_900])  # of a frequent word, a rarer one, and all others
often, rarer = counts[:2] * np.minimum(kept(counts), 1)[:2]
print(f"of the first word {often:.0f} are left, of the second {rarer:.0f}: {often / rarer:.1f} times as many")
