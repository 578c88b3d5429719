"""Text -> label."""
