"""Load, fault injection and fuzzing for a server behind its proxy: long runs in `benchmarks.serving`, short ones in the tests."""
