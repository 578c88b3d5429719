"""Load, faults and strange requests for a server behind its proxy: `benchmarks.serving` at length, the tests in short."""
