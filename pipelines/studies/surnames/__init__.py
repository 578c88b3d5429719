"""Which recurrent network tells surnames apart best: cells, directions and depths, five seeds each."""
