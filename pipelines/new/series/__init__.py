"""`seqline new` for regular time series."""
