"""`seqline new`: turns a user's data file into a task."""
