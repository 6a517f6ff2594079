"""The one exception that is shown to a user without a traceback."""


class UserError(Exception):
    """A mistake that the user can fix.

    The message names what was found, what is allowed and how to fix it.
    """
