"""Start and end of the programs: the command line, and a one-line message for errors."""

import argparse
import os
import signal
import sys
from collections.abc import Callable

from pix2pix.system.disk import FULL
from pix2pix.system.errors import InputError

TRACEBACK = "PIX2PIX_TRACEBACK"


def first_line(error: Exception) -> str:
    """The first line of an error's message, without the rules and headings of MindSpore's messages."""
    lines = [line for line in str(error).splitlines() if line.strip("- ") and not line.startswith("- ")]
    return lines[0].strip() if lines else ""


def command_line(documentation: str | None) -> argparse.ArgumentParser:
    """A parser whose help begins with the program's documentation, as it is laid out there."""
    return argparse.ArgumentParser(description=documentation, formatter_class=argparse.RawDescriptionHelpFormatter)


def _end(number: int, _frame: object) -> None:
    """Raise SystemExit on a signal, so that unfinished files are deleted."""
    if "mindspore" in sys.modules:
        # its compiler prints what ends it, with a hundred lines of its stack
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    sys.exit(128 + number)


def run(main: Callable[[], None]) -> None:
    """Run a program's main function; print errors as one line each and exit with status 1.

    Unexpected errors show a traceback if PIX2PIX_TRACEBACK is set in the environment.
    """
    signal.signal(signal.SIGTERM, _end)
    if "mindspore" in sys.modules and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)
    try:
        main()
    except InputError as error:
        for line in str(error).splitlines():
            print(f"error: {line}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        hint = "; make room and start again" if error.errno in FULL else ""
        if isinstance(error, (FileExistsError, IsADirectoryError)):
            hint = "; it is in the way: move it elsewhere and start again"
        if isinstance(error, NotADirectoryError):
            hint = "; a file is in the place of a folder of this path: move it elsewhere and start again"
        print(f"error: {where}{error.strerror or error}{hint}", file=sys.stderr)
        sys.exit(1)
    except Exception as error:
        if TRACEBACK in os.environ:
            raise
        message = first_line(error)
        hint = f"({TRACEBACK}=1 in the environment shows where)"
        print(f"error: unexpected {type(error).__name__}: {message} {hint}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
