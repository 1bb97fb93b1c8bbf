"""How a program ends: bad input, a full disk, a signal and a mistake of our own are one line each."""

import os
import signal
import sys
from collections.abc import Callable

from pix2pix.system.disk import FULL
from pix2pix.system.errors import InputError

TRACEBACK = "PIX2PIX_TRACEBACK"


def run(main: Callable[[], None]) -> None:
    """Run a program's main function; bad input is one clear line and exit status 1.

    So is what nobody has foreseen, but for whoever sets PIX2PIX_TRACEBACK in the environment.
    """
    # as an exception, so that what is half written is cleared away
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        main()
    except InputError as error:
        for line in str(error).splitlines():
            print(f"error: {line}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        hint = "; make room and start again" if error.errno in FULL else ""
        print(f"error: {where}{error.strerror or error}{hint}", file=sys.stderr)
        sys.exit(1)
    except Exception as error:
        if TRACEBACK in os.environ:
            raise
        said = str(error).strip().partition("\n")[0]
        hint = f"({TRACEBACK}=1 in the environment shows where)"
        print(f"error: unexpected {type(error).__name__}: {said} {hint}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
