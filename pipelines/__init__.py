"""Training pipelines: one module for each stage of dvc.yaml."""

import os

# Transparent huge pages for torch's large tensors, where Linux grants them on request: training touches gigabytes of
# activations, and small pages cost many TLB misses. torch reads the variable once, on first use.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
