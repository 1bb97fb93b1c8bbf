"""The exception for all user input that cannot be used."""


class InputError(Exception):
    """Invalid user input: a file, a key, a server or a device.

    The message names the file or key, the problem and the remedy, with one line per problem.
    """
