"""What contextual vectors add to sentiment classification."""
