"""Unicode normalization, applied before any other step in training and in serving alike."""

import unicodedata


def normalize(text: str, *, lowercase: bool = False) -> str:
    """Compose accents (NFC), turn every run of white space into one space, and strip the ends.

    NFC, not NFKC: compatibility folding would rewrite characters that a translator has to copy ("²", "…").
    The no-break spaces of French punctuation count as white space and become plain ones.
    """
    composed = unicodedata.normalize("NFC", text)
    folded = composed.lower() if lowercase else composed
    return " ".join(folded.split())
