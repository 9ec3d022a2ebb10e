"""What an upload holds: DICOM series and single images, each within bounds; and of what is not used, why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from vesalius import cohorts, formats
from vesalius.core.case import Case, Ref
from vesalius.core.errors import BudgetError, DataError, NoImages, VesaliusError
from vesalius.dicom.identity import UNKNOWN, read_identity
from vesalius.formats.dicom import check_streams
from vesalius.prepare.seen import glance
from vesalius.serve.http import display
from vesalius.serve.http.limits import Bounds
from vesalius.serve.http.problems import Problem, for_clients
from vesalius.serve.http.study import StoredCase, UploadedStudy
from vesalius.serve.http.uploads import Received, suffix
from vesalius.serve.node.routing import series_attributes


def find_cases(study: UploadedStudy, files: Sequence[Received], bounds: Bounds) -> UploadedStudy:
    """Return the study with its cases. Raises Problem 422 where there is none, which names what could not be read.

    Only series and single images are looked for: a table's or a description's paths are never followed.
    """
    study = replace(study, labels=_labels(files))
    stems = _stems(study)
    unread = [*study.set_aside]
    unread += [
        (study.labels[str(f.path)], "not a format that is read here" if f.size else "an empty file")
        for f in files
        if not _read_here(f)
    ]
    try:
        cohort = cohorts.read(study.folder, layout="dicomtree", max_set_aside=1.0)
        images = [(case, case.image) for case in cohort.cases]
        left, notes = cohort.set_aside, cohort.notes
    except NoImages as error:
        images, left, notes = [], (), error.left
    except DataError:
        images, left, notes = [], (), ()
    unread += [_said(study, stems, *spare) for note in notes if (spare := _spare(note))]
    unread += [_said(study, stems, item.case, item.reason) for item in left if item.files == 1]
    unused = [_said(study, stems, item.case, item.reason) for item in left if item.files > 1]
    mendable = bool(unused)
    cases: list[StoredCase] = []
    for case, ref in images:
        if not isinstance(ref, Ref):
            continue
        said = study.labels.get(str(ref.paths[0]), case.id)
        try:
            cases.append(stored_case(f"c{len(cases) + 1}", case, ref, said, bounds))
        except VesaliusError as error:
            mendable = mendable or not isinstance(error, BudgetError)
            (unread if len(ref.paths) == 1 else unused).append(_said(study, stems, said, str(error)))
    if not cases:
        raise _nothing(len(files) + len(study.set_aside), unread, unused, mendable=mendable)
    return replace(study, cases=tuple(cases), set_aside=(*unread, *unused))


def _labels(files: Sequence[Received]) -> dict[str, str]:
    """Return what each file is called by where it lies; of several with one name, which of them it is."""
    count: dict[str, int] = {}
    found = {}
    for item in files:
        n = count[item.label] = count.get(item.label, 0) + 1
        end = suffix(item.label)
        plain = item.label[: len(item.label) - len(end)]
        found[str(item.path)] = item.label if n == 1 else f"{plain} ({n}){item.label[len(plain) :]}"
    return found


def _stems(study: UploadedStudy) -> dict[str, str]:
    """Return what files are called by their names of ours without a suffix, as cases are named by."""
    found = {Path(p).stem: label for p, label in study.labels.items()}
    return found | {formats.stem(Path(p)): label for p, label in study.labels.items()}


def _said(study: UploadedStudy, stems: Mapping[str, str], name: str, reason: str) -> tuple[str, str]:
    """Return what a file or a series is called, and why it is not used, in a client's words."""
    label = stems.get(name) or study.file_in(reason) or name
    reason = study.plainly(reason).removeprefix(f"{label}: ")
    what, mark, hint = reason.rpartition("; try: ")
    kept = for_clients(hint) if mark else None
    return label, f"{what}; try: {kept}" if kept else what if mark else reason


def _spare(note: str) -> tuple[str, str] | None:
    """Return the name and the reason out of a note about a file that is not to be asked about, such as a localiser."""
    if not note.startswith(cohorts.SPARE):
        return None
    name, sign, reason = note.removeprefix(cohorts.SPARE).partition(": ")
    return (name, reason) if sign else ("the upload", name)


def _nothing(
    n: int, unread: Sequence[tuple[str, str]], unused: Sequence[tuple[str, str]], *, mendable: bool
) -> Problem:
    """422 that says how many files could be read, and of the first that could not, which and why."""
    read = n - len(unread)
    some = [f"{name}: {reason}" for name, reason in unread[:3]]
    if len(unread) > 3:
        some.append(f"and {len(unread) - 3} more")
    if not unused or read <= 0:
        what = "an upload without a file" if not n and not unread else "no image could be read"
        return Problem(
            422, what, found="; ".join(some) or None, hint="DICOM, NIfTI, PNG, …, or a zip of them"
        )
    counted = (
        f"{read} of {n} files could be read, {len(unread)} could not ({'; '.join(some)}); " if unread else ""
    )
    name, reason = unused[0]
    return Problem(
        422,
        "no whole image could be made of these files",
        found=counted + reason.removeprefix(f"{name}: "),
        hint="upload the whole series, its damaged or missing files anew" if unread or mendable else None,
    )


def _read_here(item: Received) -> bool:
    found = item.path.suffix and suffix(item.path.name) not in ("", ".npz", ".zip")
    return bool(found) or formats.by_content(item.path) == "dicom"


def stored_case(case_id: str, case: Case, ref: Ref, said: str, bounds: Bounds) -> StoredCase:
    """Return a case as the service keeps it, without its targets. Raises BudgetError for one that is too large."""
    head = formats.header(ref)
    claimed = int(np.prod(head.shape)) * head.channels * head.frames * np.dtype(head.dtype).itemsize
    if claimed > bounds.decoded_bytes:
        raise BudgetError(
            "an image that is too large", found=f"{claimed:,} bytes", hint=f"at most {bounds.decoded_bytes:,}"
        )
    dicom = formats.sniff(ref.paths[0]) == "dicom"
    if dicom:
        check_streams(ref)
    series = series_attributes(ref.paths) if dicom else None
    description = " ".join(s for s in (series.series_description, ref.member or "") if s) if series else ""
    name = description or (formats.stem(said) if len(ref.paths) == 1 or not dicom else case.id)
    about = {
        "shape": list(head.shape),
        "spacing_mm": None if head.spacing_mm is None else [float(s) for s in head.spacing_mm],
        "modality": head.modality or (series.modality if series else None) or None,
        "description": description,
        "unit": head.unit,
        "spacing_at": head.spacing_at,
        "orientation_known": head.affine is not None,
        "frames": head.frames,
        "frame_s": display.frame_s(head.times_s),
        "times_s": display.uneven(head.times_s),
        "channels": head.channels,
        "colour": head.channels == 3 and head.dtype == "uint8",
        "source": "dicom" if dicom else "other",
        "display": display.hints(head.display),
        **(read_identity(ref.paths[0]) if dicom else UNKNOWN),
        "notes": [head.forms.doubt] if head.forms is not None and head.forms.doubt else [],
    }
    kept = replace(case, id=case_id, targets={}, patient=None, report=None)
    return StoredCase(case_id, name, kept, dicom, about, glance(head, case.declared))
