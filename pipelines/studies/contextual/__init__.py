"""Effect of contextual vectors on sentiment classification."""
