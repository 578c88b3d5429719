"""What goes wrong around a server and that its user can mend."""


class ControlError(Exception):
    """The message says what is wrong and what to do about it, in one line."""
