"""Text to integer ids and back. Nothing here imports torch: training and serving share it."""
