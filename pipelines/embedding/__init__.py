"""Training of the embedding methods that need more than a single call."""
