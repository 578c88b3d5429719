"""The four ids that every vocabulary of the project begins with."""

from typing import Final

PAD: Final = 0  # fills a batch's shorter rows; never scored
UNK: Final = 1  # a unit that was not in the training data
BOS: Final = 2  # begins a generated sequence
EOS: Final = 3  # ends one

SPECIAL_TOKENS: Final = ("<pad>", "<unk>", "<bos>", "<eos>")
