"""Count a pair of words in two short documents."""

from lessons.glove_embedding import cooccurrences

documents = [["a", "b", "c", "a"], ["b", "a"]]
i, j, x = cooccurrences(documents, {"a": 0, "b": 1, "c": 2}, window=2)
counted = {(int(one), int(other)): float(count) for one, other, count in zip(i, j, x, strict=True)}
print(f"X_ab = {counted[0, 1]:.3f}")
