"""How models are made: one module for each stage of dvc.yaml."""

import os

# Large pages for torch's large tensors, where Linux gives them to those who ask: training goes through gigabytes of
# activations, and looks up each small page of them anew. torch reads the variable once, when it is first used.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
