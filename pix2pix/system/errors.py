"""The one exception for what a user gave and cannot be used."""


class InputError(Exception):
    """Bad input from the user: a file, a key, a server or a device.

    Its text names the file or the key, says what is wrong and what to do. Several problems of
    one input are several lines.
    """
