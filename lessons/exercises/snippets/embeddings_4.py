"""The word after a context that was never seen, by Kneser-Ney."""

from lessons.ngram_lm import KneserNey

SAN, FRANCISCO, GLASS, NEW = 0, 1, 2, 8  # words 3 to 7 are five different adjectives
bigrams = [(SAN, FRANCISCO)] * 50 + [(adjective, GLASS) for adjective in range(3, 8)]
model = KneserNey([*bigrams], V=9)
print(f"p(Francisco | new) = {model.p((NEW, FRANCISCO)):.3f}, p(glass | new) = {model.p((NEW, GLASS)):.3f}")
