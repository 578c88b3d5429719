"""Character vocabulary: one id per character, stored as readable JSON."""

import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from anyascii import anyascii

from models.text.normalize import normalize
from models.text.special import EOS, SPECIAL_TOKENS, UNK


class CharacterTokenizer:
    """Maps a text to the ids of its characters.

    An unknown letter or accent is transliterated to Latin characters if these are known: a model of Latin names reads "Иванов"
    as "Ivanov".

    Args:
        characters: the known characters in id order; the first one gets the id after the special tokens.
        lowercase: fold case before looking characters up.
    """

    def __init__(self, characters: Sequence[str], *, lowercase: bool) -> None:
        self.characters = tuple(characters)
        self.lowercase = lowercase
        self._ids = {c: i for i, c in enumerate(self.characters, start=len(SPECIAL_TOKENS))}

    @classmethod
    def train(cls, texts: Iterable[str], *, lowercase: bool, min_count: int = 1) -> "CharacterTokenizer":
        """Collect the characters that occur at least `min_count` times, in code point order."""
        counts = Counter(c for text in texts for c in normalize(text, lowercase=lowercase))
        return cls(sorted(c for c, n in counts.items() if n >= min_count), lowercase=lowercase)

    @property
    def size(self) -> int:
        """Number of ids, special tokens included."""
        return len(SPECIAL_TOKENS) + len(self.characters)

    def encode(self, text: str) -> list[int]:
        """Ids of the characters of `read(text)`; an unknown one becomes UNK. No BOS or EOS is added."""
        return [self._ids.get(c, UNK) for c in self.read(text)]

    def read(self, text: str) -> str:
        """The normalized text, with unknown letters transliterated if possible."""
        normal = normalize(text, lowercase=self.lowercase)
        if self._ids.keys() >= set(normal):
            return normal
        return "".join(c if c in self._ids else self._spelt(c) for c in normal)

    def _spelt(self, character: str) -> str:
        """Transliteration of an unknown character: itself, if it is not a letter or accent, or if there is none."""
        if not (character.isalpha() or unicodedata.category(character).startswith("M")):
            return character
        latin = anyascii(character)
        latin = latin.lower() if self.lowercase else latin
        return latin if self._ids.keys() >= set(latin) else character

    def decode(self, ids: Iterable[int]) -> str:
        """The text of the ids up to the first EOS; other special tokens are left out."""
        text = []
        for i in ids:
            if i == EOS:
                break
            if i >= len(SPECIAL_TOKENS):
                text.append(self.characters[i - len(SPECIAL_TOKENS)])
        return "".join(text)

    def save(self, path: Path) -> None:
        """Write the vocabulary as JSON."""
        content = {"characters": self.characters, "lowercase": self.lowercase}
        path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "CharacterTokenizer":
        """Read what `save` wrote."""
        content = json.loads(path.read_text(encoding="utf-8"))
        return cls(content["characters"], lowercase=content["lowercase"])
