"""Run a long command with one line of how far it is, and show all that it said only if it fails."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence

WIDTH = 100


def run(what: str, command: Sequence[str]) -> int:
    """Run `command` and return its exit code. On a terminal its latest line is shown, shortened, with the seconds."""
    began, said, terminal = time.monotonic(), [], sys.stderr.isatty()
    sys.stderr.write(f"{what} …" + ("" if terminal else "\n"))
    sys.stderr.flush()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        for line in process.stdout or ():
            said.append(line)
            if terminal:
                text = f"{what}: {time.monotonic() - began:.0f} s  {' '.join(line.split())}"
                sys.stderr.write(f"\r\x1b[K{text[:WIDTH]}")
                sys.stderr.flush()
    sys.stderr.write("\r\x1b[K" if terminal else "")
    if process.returncode:
        sys.stderr.writelines(said)
        sys.stderr.write(f"{what}: failed\n")
    else:
        sys.stderr.write(f"{what}: done in {time.monotonic() - began:.0f} s\n")
    return process.returncode


if __name__ == "__main__":
    sys.exit(run(sys.argv[1], sys.argv[2:]))
