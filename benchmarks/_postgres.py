"""A PostgreSQL server of a benchmark's own, at a socket in its folder; as another user where we are root."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

FOUND = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl")) or [Path(shutil.which("pg_ctl") or "absent")]
ROOT = os.geteuid() == 0


def missing() -> str | None:
    """Return what lacks to run one here; None where nothing does."""
    if not FOUND[-1].is_file() or (ROOT and shutil.which("runuser") is None):
        return "PostgreSQL is not installed"
    return None


class Postgres:
    """A server that is started, and its URL."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pg"))  # a short path, as sockets want it
        if ROOT:  # which PostgreSQL refuses to run as
            shutil.chown(self.folder, "postgres", "postgres")
        self._run("initdb", "-D", str(self.folder / "data"), "-U", "service", "-A", "trust", "--no-sync")
        self.url = f"postgresql://service@/postgres?host={self.folder}"
        self.start()

    def start(self) -> None:
        """Start it, or start it again."""
        options = f"-c listen_addresses= -c unix_socket_directories={self.folder}"
        log = str(self.folder / "log")
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-o", options, "-l", log, "-w", "start")

    def stop(self, how: str = "immediate") -> None:
        """Stop it: `immediate` is as kill -9."""
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-m", how, "-w", "stop")

    def remove(self) -> None:
        """Stop it and remove all that it had."""
        self.stop()
        shutil.rmtree(self.folder)

    def _run(self, name: str, *words: str) -> None:
        user = ["runuser", "-u", "postgres", "--"] if ROOT else []
        words = (*user, str(FOUND[-1].with_name(name)), *words)
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, cwd=self.folder, timeout=300)
