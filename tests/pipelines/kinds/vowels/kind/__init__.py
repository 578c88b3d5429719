"""Text -> number of vowels."""
