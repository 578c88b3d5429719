"""How many words of two targets are scored."""

from lessons.seq2seq_translation import PAD, Vocabulary

texts = [["the", "cat", "sleeps", "here"], ["yes"]]
target = Vocabulary(texts * 2).encode(texts, target=True)  # twice: only words that occur twice are in the vocabulary
read, said = target[:, :-1], target[:, 1:]
print(f"scored: {int((said != PAD).sum())}")
