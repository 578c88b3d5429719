"""Subwords learned from four words, and a word that is none of them."""

from models.text.subwords import SubwordTokenizer

texts = ["low"] * 5 + ["lower"] * 2 + ["newest"] * 6 + ["widest"] * 3
tokenizer = SubwordTokenizer.train(texts, size=25)
print(f"{' '.join(tokenizer.pieces(tokenizer.encode('lowest')))}: {len(tokenizer.encode('lowest'))} pieces")
