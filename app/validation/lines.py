"""A line of the validation that does not hold."""


class NotHeld(RuntimeError):
    """A line of the validation does not hold; the message says where."""
