"""Recurrent networks: the cells as equations, and the layer that runs any of them over ragged batches."""
