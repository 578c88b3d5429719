"""Types of the blocks of params.yaml. Each key's range stands here, its meaning in params.yaml."""
