"""write: an answer or an image to a file, in the format that its suffix names."""

from __future__ import annotations

from pathlib import Path

from vesalius import cohorts, formats
from vesalius.answers import contract
from vesalius.core.answers import Answer, ImageAnswer
from vesalius.core.case import Ref
from vesalius.core.errors import OutputError, VesaliusError
from vesalius.core.image import Image
from vesalius.core.words import counted
from vesalius.prepare.case import load_reference
from vesalius.run.answers_folder import write_listings
from vesalius.shapes.files import mesh_suffixes


def write(thing: Answer | Image, path: Path | str, *, source: Path | str | Image | None = None) -> Path:
    """Write an answer or an image to a file, in the format that its suffix names; whole or not at all.

    DICOM is written into the study of the source, and not without it, unless the answer still knows its source's
    files.

    Args:
        thing: What to write.
        path: Where: `.nii.gz`, `.png`, `.json`, `.seg.dcm`, `.stl` of a mask's labels, …
        source: The image that the answer was made from, its file, or the folder of its study, in which its
            series is found.

    Returns:
        The path.

    Raises:
        OutputError: It cannot be written there, or this format does not hold such a thing.
        GeometryError: `source` has another shape.
        FormatError: There is no format with that suffix.
    """
    image = _source(thing, Path(source)) if isinstance(source, str | Path) else source
    thing = _meshed(thing, Path(path))
    written = formats.write(thing, path, source=image)
    if isinstance(thing, ImageAnswer) and formats.is_plain(written):
        write_listings(thing, written.parent, lead=f"{formats.stem(written)}.")
    return written


def _meshed(thing: Answer | Image, path: Path) -> Answer | Image:
    """Return the surface of an answer that goes into a file of meshes; what goes elsewhere, or has none, as it is."""
    if not isinstance(thing, Answer) or not any(path.name.lower().endswith(s) for s in mesh_suffixes()):
        return thing
    return contract.of(thing).surface(thing) or thing


def _source(thing: Answer | Image, path: Path) -> Image:
    """Return the image at a path; of a folder the one that the answer was made from, or the only one there is."""
    if not path.is_dir():
        return formats.read(Ref((path,)))
    cases = cohorts.read(path, max_set_aside=1.0).cases
    wanted = thing.source.series_uid
    if len(cases) == 1:
        return load_reference(cases[0])
    for case in cases:
        try:
            image = load_reference(case)
        except VesaliusError:
            continue  # a series that cannot be read is not the one that was
        same = not thing.source.sop_uids or image.source.sop_uids == thing.source.sop_uids
        if wanted is not None and image.source.series_uid == wanted and same:
            return image
    raise OutputError(
        f"{path} does not hold the series that this was made from"
        if wanted
        else f"{path} holds several images",
        found=counted(len(cases), "image"),
        hint="vs.write(answer, path, source=the folder of that series)",
    )
