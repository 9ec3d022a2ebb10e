"""The folder of a service's uploads and results: its own while it runs, and removed when it ends or by the next one."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from contextlib import ExitStack
from pathlib import Path

from vesalius.core.disk import held, output_errors
from vesalius.core.errors import OutputError

_PREFIX = "vesalius-serve-"


class WorkDir:
    """A new folder that only its owner can read, under a lock that ends with the process. Raises OutputError.

    `cleared` is how many folders of services that were killed have gone.
    """

    def __init__(self, temporary: Path | None = None) -> None:
        base = temporary or Path(tempfile.gettempdir())
        self.cleared = sum(_clear(folder) for folder in sorted(base.glob(f"{_PREFIX}*")))
        self._lock = ExitStack()
        while True:
            with output_errors(base):
                self.folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
            try:
                self._lock.enter_context(held(self.folder))
                if self.folder.is_dir():
                    return
            except (OSError, OutputError):  # a service that starts at this moment has taken it for a leaving
                pass
            self._lock.close()

    @property
    def apart(self) -> Path:
        """Where requests put files for a moment."""
        return self.folder

    def start(self) -> None:
        """Nothing is shared with other processes."""

    def remove(self) -> None:
        """Remove all that is in it."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.close()


def _clear(folder: Path) -> bool:
    """Remove a folder of ours that no process holds; whether it has gone."""
    try:
        about = folder.lstat()
        if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.geteuid():
            return False
        with held(folder, surely=True):
            shutil.rmtree(folder, ignore_errors=True)
    except (OSError, OutputError, AttributeError):  # in use; or where there are no locks or owners to go by
        return False
    return not folder.exists()
