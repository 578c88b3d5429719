"""From raw records to checked splits, one module for each shape of record."""
