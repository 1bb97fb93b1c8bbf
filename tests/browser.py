"""Open a page in headless Chromium."""

import shutil
import subprocess
from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def browse(page: Path, profile: Path) -> tuple[str, list[str]]:
    """Return the page's DOM after its scripts have run, and its console messages."""
    flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    flags += " --disable-component-update --disable-sync --enable-logging=stderr --allow-file-access-from-files"
    command = [CHROMIUM, *flags.split(), f"--user-data-dir={profile}", "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    # internal pages of the browser also log errors, for example about a missing network
    return done.stdout, [
        line for line in done.stderr.splitlines() if "CONSOLE" in line and "source: chrome:" not in line
    ]
