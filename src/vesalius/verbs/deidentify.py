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
    """Copy a file, or all files of a folder, into a new folder, without what identifies a person.

    DICOM after PS3.15 Annex E, NIfTI, JSON side-cars and pictures. Originals are only read.

    Args:
        source: A file or a folder.
        out: A new folder.
        profile: `basic`, or `research`: patient characteristics, shifted dates and cleaned text stay.
        options: Annex E's options by name, such as `retain-uids`.
        key: The file of the secret that UIDs, pseudonyms and shifts of dates come from; made if there is
            none, by default `<out>.key`.
        deface: Remove the face from head volumes.
        resume: Go on with an interrupted run.
        progress: A `Progress`; True, False or None: by default a bar shows itself on a terminal and in a
            notebook.

    Returns:
        Where the copies, the report, the key and the list of names are, and what was set aside, with the
            reason.

    Raises:
        UnknownName: There is no such profile or option.
        DataError: There is nothing to copy, or the key is another run's.
        OutputError: `out` holds something.
        MissingProgram: An option needs tesseract, and it is not installed.
        Interrupted: Ctrl-C; what is done is kept.
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
