"""Byte-pair encoding (Sennrich et al. 2016, arXiv 1508.07909), by the `tokenizers` library."""

import json
from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers, trainers
from tokenizers import models as tokenizer_models

from models.text.normalize import normalize
from models.text.special import EOS, SPECIAL_TOKENS, UNK


class SubwordTokenizer:
    """Splits a text into subwords; `decode(encode(text))` is the normalized text if every character is known.

    Words are marked by a leading "▁"; punctuation and digits never merge with letters or with each other, so that
    names and version numbers can be copied piece by piece. Case folding is a setting of the tokenizer, saved in its file.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._tokenizer.encode_special_tokens = True  # a user's "<eos>" is text like any other

    @classmethod
    def train(cls, texts: Iterable[str], *, size: int, lowercase: bool = False) -> "SubwordTokenizer":
        """Learn at most `size` subwords, special tokens included, from the texts, lower-cased if `lowercase`."""
        tokenizer = Tokenizer(tokenizer_models.BPE(unk_token=SPECIAL_TOKENS[UNK]))
        if lowercase:
            tokenizer.normalizer = normalizers.Lowercase()
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Metaspace(), pre_tokenizers.Punctuation("isolated"), pre_tokenizers.Digits(individual_digits=True)]
        )
        tokenizer.decoder = decoders.Metaspace()
        trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=list(SPECIAL_TOKENS), show_progress=False)
        tokenizer.train_from_iterator((normalize(text) for text in texts), trainer)
        return cls(tokenizer)

    @property
    def size(self) -> int:
        """Number of ids, special tokens included."""
        return int(self._tokenizer.get_vocab_size())

    def encode(self, text: str) -> list[int]:
        """Ids of the normalized text's subwords. No BOS or EOS is added."""
        return list(self._tokenizer.encode(normalize(text), add_special_tokens=False).ids)

    @property
    def merges(self) -> list[tuple[str, str]]:
        """The pairs of symbols that are merged, in the order in which they were learned."""
        pairs = json.loads(self._tokenizer.to_str())["model"]["merges"]
        return [(left, right) for left, right in pairs]

    def words(self, text: str) -> list[str]:
        """The units that merges do not cross: words with their mark, punctuation, digits."""
        folded = self._tokenizer.normalizer.normalize_str(normalize(text)) if self._tokenizer.normalizer else normalize(text)
        return [word for word, _ in self._tokenizer.pre_tokenizer.pre_tokenize_str(folded)]

    def ids(self, pieces: Iterable[str]) -> list[int]:
        """The ids of subwords, UNK for one that is not in the vocabulary."""
        found = (self._tokenizer.token_to_id(piece) for piece in pieces)
        return [UNK if i is None else int(i) for i in found]

    def pieces(self, ids: Iterable[int]) -> list[str]:
        """The subwords themselves, for inspecting attention."""
        return [str(self._tokenizer.id_to_token(i)) for i in ids]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of the ids up to the first EOS; special tokens are left out."""
        kept = []
        for i in ids:
            if i == EOS:
                break
            kept.append(i)
        return str(self._tokenizer.decode(kept, skip_special_tokens=True))

    def save(self, path: Path) -> None:
        """Write the `tokenizers` JSON format, which its Rust, Node and Python libraries read."""
        self._tokenizer.save(str(path))

    @classmethod
    def load(cls, path: Path) -> "SubwordTokenizer":
        """Read what `save` wrote."""
        return cls(Tokenizer.from_file(str(path)))
