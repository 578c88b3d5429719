"""Time series: reads files into checked arrays."""
