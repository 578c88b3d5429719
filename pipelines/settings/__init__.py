"""Types of the blocks of params.yaml. They define each key's range; its meaning is explained in params.yaml."""
