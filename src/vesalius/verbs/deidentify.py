"""deidentify: copies of medical images without the identities in them, and a report of what was done to what."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path

from vesalius.core.errors import Interrupted
from vesalius.core.progress import Progress, watched
from vesalius.deidentify import run
from vesalius.deidentify.options import settings
from vesalius.deidentify.run import Deidentified

__all__ = ["Deidentified", "deidentify"]


def deidentify(
    source: Path | str,
    out: Path | str,
    *,
    profile: str = "basic",
    options: Iterable[str] = (),
    key: Path | str | None = None,
    deface: bool = False,
    resume: bool = False,
    progress: Progress | bool | None = None,
) -> Deidentified:
    """Copy a file, or all files of a folder, into the new folder `out`, without what identifies a person.

    DICOM by PS3.15 Annex E (`profile` basic or research, and its `options`), NIfTI, JSON side-cars and pictures. UIDs,
    pseudonyms and shifts of dates come from the secret `key` (by default the file `<out>.key`, made if there is none).
    `deface` is the option of that name. Originals are only read. Raises UnknownName, DataError, OutputError,
    MissingProgram; Interrupted after Ctrl-C.
    """
    wanted = [*options, "deface"] if deface else list(options)
    try:
        return run.deidentify(
            Path(source),
            Path(out),
            settings=settings(profile, wanted),
            key=None if key is None else Path(key),
            resume=resume,
            progress=watched(progress),
        )
    except Interrupted as error:
        words = ["vesalius", "deidentify", str(source), str(out), "--profile", profile]
        words += [word for name in wanted for word in ("--option", name)]
        words += [] if key is None else ["--key", str(key)]
        raise Interrupted(error.what, hint=shlex.join([*words, "--resume"])) from error
