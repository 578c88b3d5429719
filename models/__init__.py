"""Text units, layers and task models.

Importing this package imports nothing, so that serving can use `models.text` without torch.
"""
