"""BLEU of a translation that is right, and stops half way."""

from lessons.seq2seq_translation import bleu

reference = ["the", "file", "that", "you", "asked", "for", "was", "deleted"]
print(f"BLEU {bleu([reference[:4]], [reference]):.1f}")
