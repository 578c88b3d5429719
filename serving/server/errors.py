"""Errors around a server that its user can fix."""


class ControlError(Exception):
    """The message says in one line what is wrong and how to fix it."""
