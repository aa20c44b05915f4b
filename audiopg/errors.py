"""The one exception the library raises for input that a person can mend."""


class InputError(ValueError):
    """A file, a setting or a value cannot be used; the message says which and what to do.

    The command line prints the message as one line and exits with status 2.
    """
