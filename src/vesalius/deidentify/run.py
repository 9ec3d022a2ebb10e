"""De-identifying a file or a folder: each file read once, its copy written whole under a keyed name, all counted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from vesalius.cohorts import require, walk
from vesalius.core.disk import assert_apart, output_errors
from vesalius.core.errors import DataError, Interrupted, OutputError
from vesalius.core.progress import Progress, Silent
from vesalius.core.quiet import quiet
from vesalius.core.words import counted
from vesalius.deidentify import dicom, nifti, ocr, picture, sidecar, texts
from vesalius.deidentify import key as keys
from vesalius.deidentify import report as reports
from vesalius.deidentify._read import SetAside
from vesalius.deidentify.dicom import Done
from vesalius.deidentify.faces import Faces
from vesalius.deidentify.key import Key
from vesalius.deidentify.names import Entry, Journal, alias, kind_of, place
from vesalius.deidentify.options import Settings
from vesalius.deidentify.texts import Neighbours

_WORK = "de-identify"


@dataclass(frozen=True)
class Deidentified:
    """What a run made: the folder, its report, the key and the list of original names, which are secrets."""

    out: Path
    report: Path
    key: Path
    names: Path
    new_key: bool
    done: int
    set_aside: tuple[tuple[str, str], ...]  # (the report's name for a file, why)


def deidentify(
    source: Path,
    out: Path,
    *,
    settings: Settings,
    key: Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> Deidentified:
    """Write copies of all files below `source` into the new folder `out`; originals are only read.

    Without `key` it is the file `<out>.key` beside `out`. Raises DataError, OutputError, and MissingProgram where
    an option needs tesseract and it is not there.
    """
    require(source)
    key_path = key if key is not None else out.with_name(f"{out.name}.key")
    _check_places(source, out, key_path)
    if not walk(source):
        raise DataError(f"no files in {source}", hint="the folder that holds the studies")
    if settings.has("clean-pixels") or settings.has("clean-graphics"):
        ocr.require()
    if resume and reports.unfinished(out) and not key_path.exists():
        raise OutputError(
            f"{out} was started with another key", found=f"no {key_path}", hint="the --key of that run"
        )
    secret, made = keys.load(key_path)
    journal = Journal(
        key_path.with_name(f"{key_path.stem}.{out.name}.names.jsonl"),
        {
            "source": str(source.resolve()),
            "out": str(out.resolve()),
            "profile": settings.profile,
            "options": list(settings.options),
            "key": secret.fingerprint,
        },
    )
    _begin(out, journal, resume=resume)
    reports.write(out, journal, secret, settings, complete=False)
    try:
        with quiet():
            _all(source, out, secret, settings, journal, progress or Silent())
    except KeyboardInterrupt as error:
        count = sum(e.out is not None for e in journal.entries.values())
        raise Interrupted(
            f"interrupted; {counted(count, 'file is', 'files are')} written, each whole"
        ) from error
    reports.write(out, journal, secret, settings, complete=True)
    entries = journal.entries.values()
    return Deidentified(
        out=out,
        report=out / reports.NAME,
        key=key_path,
        names=journal.path,
        new_key=made,
        done=sum(e.out is not None for e in entries),
        set_aside=tuple((alias(PurePosixPath(e.source), secret), e.reason) for e in entries if e.reason),
    )


def _all(source: Path, out: Path, key: Key, settings: Settings, journal: Journal, progress: Progress) -> None:
    files = walk(source)
    root = source if source.is_dir() else source.parent
    faces = Faces(files, progress) if settings.has("deface") else None
    beside = Neighbours(root)
    taken = {e.out for e in journal.entries.values() if e.out is not None}
    progress.start(_WORK, len(files))
    try:
        for path in files:
            relative = PurePosixPath(path.relative_to(root).as_posix())
            stamp = _stamp(path)
            if not journal.done(str(relative), stamp, out):
                entry = _one(path, relative, stamp, out, key, settings, faces, taken, beside)
                if entry.out is not None:
                    taken.add(entry.out)
                journal.add(entry)
            progress.advance(_WORK)
    finally:
        progress.finish(_WORK)


def _stamp(path: Path) -> tuple[int, int]:
    """Size and time of change; zeros for what cannot be looked at, such as a link to nothing."""
    try:
        state = path.stat()
    except OSError:
        return 0, 0
    return state.st_size, state.st_mtime_ns


def _one(
    path: Path,
    relative: PurePosixPath,
    stamp: tuple[int, int],
    out: Path,
    key: Key,
    settings: Settings,
    faces: Faces | None,
    taken: set[str],
    beside: Neighbours,
) -> Entry:
    kind = kind_of(path) if path.is_file() else None
    try:
        if not path.is_file():
            raise SetAside("a broken link, or not a regular file")
        if kind is None:
            raise SetAside("a type of file that cannot be de-identified")
        if path.stat().st_size == 0:
            raise SetAside("an empty file")
        if kind == "dicom":
            face = faces.of_dicom(path) if faces is not None else None
            done = dicom.deidentify(
                path, out, key=key, settings=settings, face=face, taken=lambda p: str(p) in taken
            )
        elif kind == "report":
            done = texts.deidentify(
                path, out, place(relative, key), key=key, settings=settings, beside=beside
            )
        else:
            target = place(relative, key)
            done = _other(kind, path, out, target, settings, faces)
    except SetAside as refused:
        return Entry(str(relative), stamp, kind or "other", reason=refused.reason)
    except OSError as error:
        return Entry(str(relative), stamp, kind or "other", reason=f"cannot be read ({type(error).__name__})")
    return Entry(str(relative), stamp, kind, str(done.out), None, done.counts, done.notes)


def _other(
    kind: str, path: Path, out: Path, target: PurePosixPath, settings: Settings, faces: Faces | None
) -> Done:
    if kind == "nifti":
        face = faces.of_nifti(path) if faces is not None else None
        return nifti.deidentify(path, out, target, settings=settings, face=face)
    if kind == "sidecar":
        return sidecar.deidentify(path, out, target, settings=settings)
    return picture.deidentify(path, out, target, settings=settings)


def _begin(out: Path, journal: Journal, *, resume: bool) -> None:
    """Make the folder, or take up one that an interrupted run began. Raises OutputError."""
    with output_errors(out):
        held = out.exists() and (not out.is_dir() or any(out.iterdir()))
    if held and not (resume and reports.unfinished(out) and journal.path.exists()):
        if resume and reports.unfinished(out):
            raise OutputError(f"{out} was started with another key", hint="the --key of the first run")
        hint = "--resume" if reports.unfinished(out) else "another output folder"
        raise OutputError(f"{out} exists and is not empty; nothing is overwritten", hint=hint)
    with output_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        for half in out.rglob(".*.tmp.*"):  # what was being written when the run was killed
            half.unlink()
    journal.begin(resume=resume and held)


def _check_places(source: Path, out: Path, key: Path) -> None:
    assert_apart(source, out)
    secret = key.resolve()
    if secret.is_relative_to(out.resolve()) or secret.is_relative_to(source.resolve()):
        raise DataError("the key must lie outside of both the originals and the output", hint="another --key")
    shared = next((folder for folder in secret.parents if (folder / reports.NAME).exists()), None)
    if shared is not None:
        raise DataError(
            f"{shared} is a de-identified copy, and a key in it would undo it",
            hint="another --key, apart from it",
        )
