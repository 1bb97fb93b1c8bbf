"""Rehearse the six benchmarks: draw their archives, serve them on this machine, and run the workflow on them.

Everything is written to one folder. Unknown flags are passed to Snakemake: --workflow-profile profiles/slurm

Example:
    python scripts/rehearse.py --cores 2
"""

import subprocess
import sys
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import mindspore as ms
import yaml

from pix2pix.config.runs import Run, read_config
from pix2pix.demo.benchmarks import STYLES, write_miniature
from pix2pix.model.checkpoint import save_network
from pix2pix.model.networks import Generator, initialise
from pix2pix.system.errors import InputError
from pix2pix.system.program import command_line, run

HOME = Path(__file__).resolve().parents[1]
CONFIG = HOME / "configs" / "rehearsal.yaml"


class Quiet(SimpleHTTPRequestHandler):
    """Serves files without printing every request."""

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def main() -> None:
    """Parse the flags, draw, serve, run Snakemake, and exit with its status."""
    parser = command_line(__doc__)
    parser.add_argument(
        "--directory", type=Path, default=Path("rehearsal"), help="where to work (default: %(default)s)"
    )
    parser.add_argument("--cores", type=int, default=2, help="cores for Snakemake (%(default)s)")
    flags, others = parser.parse_known_args()
    began = time.monotonic()
    server = make_server(flags.directory.resolve())
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(HOME / "Snakefile")]
    command += ["--directory", str(flags.directory), "--cores", str(flags.cores), "all", "benchmarks"]
    command += ["--configfile", str(CONFIG), *others]
    with server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        status = run_to_its_end(command)
        server.shutdown()
    minutes = (time.monotonic() - began) / 60
    page = flags.directory / "results" / "benchmarks.html"
    print(f"rehearsal: {f'failed ({status})' if status else page} after {minutes:.1f} minutes", file=sys.stderr)
    sys.exit(status)


def run_to_its_end(command: list[str]) -> int:
    """Run a command, which may finish its work after Ctrl-C or SIGTERM; return its exit status."""
    process = subprocess.Popen(command)
    try:
        return process.wait()
    except KeyboardInterrupt:  # the terminal has sent SIGINT to both
        return process.wait()
    except SystemExit:  # SIGTERM, which only this program has received
        process.terminate()
        return process.wait()


def make_server(directory: Path) -> ThreadingHTTPServer:
    """Draw the archives, make the checkpoints, and return a server that has the configured address.

    Raises:
        InputError: another program uses the port.
    """
    merged = yaml.safe_load((HOME / "config.yaml").read_text())
    rehearsal = yaml.safe_load(CONFIG.read_text())
    for key, value in rehearsal.items():
        for name, entry in value.items() if isinstance(value, dict) else ():
            merged[key][name] = merged[key].get(name, {}) | entry
        if not isinstance(value, dict):
            merged[key] = value
    config, runs, _ = read_config(merged)
    port = urlsplit(config.mirrors[-1]).port
    try:
        handler = partial(Quiet, directory=str(directory / "server"))
        server = ThreadingHTTPServer(("127.0.0.1", port or 0), handler)
    except OSError as error:
        raise InputError(f"port {port} of {CONFIG}: {error.strerror}: end the program that uses it") from None
    for name in STYLES:
        counts: dict[str, int] = {split: count or 1 for split, count in config.datasets[name].counts.items()}
        write_miniature(directory / "server" / f"{name}.tar.gz", name, counts)
    for each in runs.values():
        if each.download:
            write_weights(each, directory / "server" / urlsplit(each.download.addresses[0]).path.lstrip("/"))
    return server


def write_weights(settings: Run, path: Path) -> None:
    """Write a generator with random weights."""
    ms.set_seed(1)
    path.parent.mkdir(parents=True, exist_ok=True)
    generator = Generator(settings.predict, settings.predict.pass_size)
    initialise(generator, settings.train)
    save_network(generator, "", path)


if __name__ == "__main__":
    run(main)
