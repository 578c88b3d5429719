"""Additional contents of a model archive: example requests with answers, and statistics of the training data."""
