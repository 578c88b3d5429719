"""The four special ids that start every vocabulary of the project."""

from typing import Final

PAD: Final = 0  # fills a batch's shorter rows; never scored
UNK: Final = 1  # an unknown unit: not in the training data
BOS: Final = 2  # begins a generated sequence
EOS: Final = 3  # ends one

SPECIAL_TOKENS: Final = ("<pad>", "<unk>", "<bos>", "<eos>")
