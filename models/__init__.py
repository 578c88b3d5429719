"""What is computed: text units, layers, task models.

Importing this package imports nothing, so that serving can use `models.text` without torch.
"""
