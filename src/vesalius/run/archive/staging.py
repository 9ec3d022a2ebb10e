"""What workers wrote, taken over into the folder of answers: first the ledger knows of it, then it is moved."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

from vesalius.core.disk import output_errors
from vesalius.run.archive.order import SPOOL, STAGING
from vesalius.run.archive.studies import Studies


def take(out: Path, staged: str, made: Iterable[str]) -> None:
    """Move a study's files to where they belong; those that are there already stay. Raises OutputError."""
    folder = out / STAGING / staged
    with output_errors(out):
        for name in made:
            path = folder / name
            if path.is_file():
                path.replace(out / name)
        shutil.rmtree(folder, ignore_errors=True)


def drop(out: Path, names: Iterable[str]) -> None:
    """Take away files that are of no answer any more."""
    with output_errors(out):
        for name in names:
            (out / name).unlink(missing_ok=True)


def tidy(out: Path, ledger: Studies) -> None:
    """Finish what a leader that was killed had begun: move what the ledger knows of, and drop what it does not.

    Raises OutputError.
    """
    shutil.rmtree(out / SPOOL, ignore_errors=True)
    staging = out / STAGING
    if not staging.is_dir():
        return
    for folder in list(staging.iterdir()):
        known = list(ledger.rows("SELECT made FROM studies WHERE staged = ?", folder.name))
        if known:
            take(out, folder.name, json.loads(known[0][0]))
        shutil.rmtree(folder, ignore_errors=True)
