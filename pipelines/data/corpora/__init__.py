"""Corpora for word vectors and language models, one module for each kind."""
