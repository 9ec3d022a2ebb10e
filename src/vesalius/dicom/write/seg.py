"""Writing a Mask as a DICOM segmentation: binary, a segment a label, on the source's planes (PS3.3 A.51, C.8.20).

Every plane has a frame for every segment, empty ones too, so that what is read back has the source's geometry. Called
instances have a segment each, up to MOST of them, and up to MOST_FRAMES frames on which they are; beyond that there is
a segment a label, of all its things together. Of a volume they have no empty frames.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from vesalius.core.answers import Answer
from vesalius.core.answers.instances import Instances
from vesalius.core.answers.mask import Mask
from vesalius.core.cohort import Label
from vesalius.core.errors import OutputError
from vesalius.core.image import Array, Image
from vesalius.core.palette import colour_of
from vesalius.dicom.series import views
from vesalius.dicom.values import terms
from vesalius.dicom.values.colours import cielab
from vesalius.dicom.write import study as studies
from vesalius.dicom.write.seg_person import DrawnBy

KIND, NUMBER = "SEG", 1
MOST, MOST_FRAMES = 256, 8192  # of instances that have a segment each


def write(
    thing: Image | Answer, path: Path, *, source: Image | None = None, drawn: DrawnBy | None = None
) -> None:
    """Write a segmentation into the source's study; `drawn` says who drew it, where that was a person.

    Raises OutputError, GeometryError.
    """
    if not isinstance(thing, Mask | Instances):
        raise OutputError("a segmentation holds a mask", found=type(thing).__name__)
    study = studies.study_of(thing, source)
    studies.save(segmentation(thing, study, source, drawn=drawn), path)


def segmentation(
    thing: Mask | Instances,
    study: studies.ResultStudy,
    source: Image | None = None,
    *,
    drawn: DrawnBy | None = None,
) -> Any:
    """Return the mask as a Segmentation object of highdicom. Raises OutputError, GeometryError."""
    single = isinstance(thing, Instances) and has_segments(thing)
    mask = as_mask(thing) if isinstance(thing, Instances) else thing
    if not mask.labels:
        raise OutputError("nothing is called" if single else "a mask without labels")
    studies.check_grid(mask.image, study, source)
    mask = _with_promised(mask)
    sorts = {label.name: label for label in thing.labels} if single else {}
    described = [
        _segment(k, sorts.get(label.name.rpartition(" ")[0], label), study, name=label.name, drawn=drawn)
        for k, label in enumerate(mask.labels, start=1)
    ]
    placed = geometry(mask.image, study)
    with studies.making("segmentation"):
        made = hd.seg.Segmentation(
            source_images=list(study.heads),
            pixel_array=numbered(mask),
            segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
            segment_descriptions=described,
            **study.made(KIND, NUMBER) | ({} if drawn is None else drawn.identity(study)),
            content_label="SEGMENTATION",
            content_description=f"Automatic, for {studies.RESEARCH}" if drawn is None else drawn.description,
            omit_empty_frames=single and not mask.image.is_2d,
            series_description=study.title("segmentation"),
            specific_character_set="ISO_IR 192",
            coding_schemes=schemes(),
            **placed,
        )
    for item, label in zip(made.SegmentSequence, mask.labels, strict=True):
        item.SegmentDescription = f"{'id' if single else 'value'} {label.value} of the label map"
    complete(made, mask.image, study)
    made.ContentCreatorName = f"{studies.MAKER}^"
    if drawn is not None:
        drawn.sign(made)
    studies.remark(made, thing)
    studies.copy_patient(made, study)
    return made


def has_segments(answer: Instances) -> bool:
    """Return whether each called instance has a segment of its own: there are not too many, nor too many frames."""
    if len(answer.called) > MOST:
        return False
    planes = (len(np.unique(plane[plane != 0])) for plane in answer.called_ids())
    return sum(planes) <= MOST_FRAMES


def as_mask(answer: Instances) -> Mask:
    """Return the called instances as labels of a mask, `red_cell 12` for id 12; where they are too many, their labels.

    The surest comes first. A label of which nothing is called is left out where each instance has a segment.
    """
    if not has_segments(answer):
        sorts = tuple(replace(label, value=k) for k, label in enumerate(answer.labels, start=1))
        image = replace(answer.image, array=answer.sorts()[None])
        return Mask(image=image, labels=sorts, source=answer.source, bundle=answer.bundle)
    colours = {label.name: colour_of(label, k) for k, label in enumerate(answer.labels)}
    things = [answer.things[k] for k in answer.called]
    labels = tuple(
        Label(thing.id, f"{thing.label} {thing.id}", colour=colours.get(thing.label)) for thing in things
    )
    image = replace(answer.image, array=answer.called_ids()[None])
    return Mask(image=image, labels=labels, source=answer.source, bundle=answer.bundle)


def _with_promised(mask: Mask) -> Mask:
    """Return the mask with a further segment for each label of the part that a promise is made of, if there is one."""
    part = None if mask.promise is None or mask.promise.part is None else mask.parts.get(mask.promise.part)
    if mask.promise is None or not isinstance(part, Mask):
        return mask
    name = f"{mask.promise.part}, {mask.promise.share}"
    most = max(label.value for label in mask.labels)
    wider = [
        replace(label, value=most + k, name=f"{label.name} ({name})")
        for k, label in enumerate(part.labels, 1)
    ]
    bits = np.concatenate([_planes(mask), _planes(part)])
    image = replace(mask.image, array=bits, channels=())
    return replace(mask, image=image, labels=(*mask.labels, *wider), overlapping=True)


def _planes(mask: Mask) -> Array:
    """Return a plane of bits for each label, `(K, Z, Y, X)`."""
    if mask.overlapping:
        return np.asarray(mask.image.array != 0, dtype=np.uint8)
    return np.stack([mask.image.array[0] == label.value for label in mask.labels]).astype(np.uint8)


def numbered(mask: Mask) -> Array:
    """Return segment numbers `(Z, Y, X)`, the labels' places from 1 on; or bits `(Z, Y, X, K)` where they overlap.

    Raises OutputError for a value that no label has, for it would be lost.
    """
    array = mask.image.array
    if mask.overlapping:
        if array.shape[0] != len(mask.labels):
            raise OutputError("a plane of bits is needed for each label", found=f"{array.shape[0]} planes")
        return np.moveaxis(array != 0, 0, -1)
    values = [label.value for label in mask.labels]
    if len(set(values)) < len(values):
        raise OutputError("two labels with one value", found=str(values))
    out = np.zeros(array.shape[1:], np.uint8 if len(values) < 256 else np.uint16)
    for k, value in enumerate(values, start=1):
        out[array[0] == value] = k
    lost = np.unique(array[0][(out == 0) & (array[0] != 0)])
    if len(lost):
        raise OutputError("the mask has values that no label has", found=str(lost[:5].tolist()))
    return out


def geometry(image: Image, study: studies.ResultStudy) -> dict[str, Any]:
    """Return highdicom's words for where the planes are, where they are not simply the source's; {} where they are."""
    planes = study.planes(image)
    first = study.first
    if planes is None or image.affine is None or "FrameOfReferenceUID" not in first:
        return {}
    said = [h.get("ImagePositionPatient") for h in study.heads]
    if (
        "SliceThickness" not in first and "NumberOfFrames" not in first
    ):  # which highdicom copies, and must find
        first.SliceThickness = f"{np.linalg.norm(image.affine[:3, 2]):.9g}"
    own = len(said) == len(planes) and all(said) and np.array_equal(np.array(said, np.float64), planes)
    if own and _is_exact(first.get("ImageOrientationPatient")):
        return {}
    x, y, z = (float(np.linalg.norm(image.affine[:3, k])) for k in range(3))
    across, down = image.affine[:3, 0] / x, image.affine[:3, 1] / y
    if abs(float(across @ down)) > 1e-4:
        raise OutputError("DICOM planes have perpendicular rows and columns", found="a sheared affine")
    return {
        "plane_positions": [hd.PlanePositionSequence("PATIENT", p.tolist()) for p in planes],
        "plane_orientation": hd.PlaneOrientationSequence("PATIENT", [*across.tolist(), *down.tolist()]),
        "pixel_measures": hd.PixelMeasuresSequence([y, x], slice_thickness=z, spacing_between_slices=z),
    }


def _is_exact(orientation: Any) -> bool:
    """Return whether a source's rows and columns have length 1, within what validators allow."""
    return bool(
        np.allclose(np.linalg.norm(np.array(orientation, np.float64).reshape(2, 3), axis=1), 1, atol=1e-4)
    )


def complete(made: Any, image: Image, study: studies.ResultStudy) -> None:
    """Say of the planes what the source's headers do not: the depth of the grid, or which way a picture lies."""
    shared = made.SharedFunctionalGroupsSequence[0]
    placed = "PlaneOrientationSequence" in shared
    if not placed:
        studies.orient(made, study)
    measures = shared.get("PixelMeasuresSequence")
    if measures and measures[0].get("SliceThickness") in (None, ""):
        if placed and image.spacing_mm is not None:
            measures[0].SliceThickness = f"{image.spacing_mm[2]:.9g}"
        else:
            del shared.PixelMeasuresSequence  # which must say a thickness, and nobody knows it
    if placed and measures and len(image.array[0]) == 1 and image.spacing_mm is not None:
        measures[0].SpacingBetweenSlices = f"{image.spacing_mm[2]:.9g}"  # of one plane highdicom says 1
    views.refer_to(made, study.frame)


def algorithm(study: studies.ResultStudy) -> Any:
    """Who drew it, as a sequence (PS3.3 table 10-19)."""
    family = codes.cid7162.ArtificialIntelligence
    return hd.AlgorithmIdentificationSequence(studies.MAKER, family=family, version=study.version)


def schemes() -> list[Any]:
    """Return what the private coding scheme is."""
    return [
        hd.coding_schemes.CodingSchemeIdentificationItem(
            designator=terms.PRIVATE, name=terms.PRIVATE_NAME, responsible_organization=studies.MAKER
        )
    ]


def code(term: terms.Term) -> Code:
    """Return a term as pydicom's Code."""
    return Code(*term)


def _segment(
    number: int, label: Label, study: studies.ResultStudy, *, name: str, drawn: DrawnBy | None
) -> Any:
    """Return the description of a segment that is called `name` and is of the sort `label`."""
    said = terms.terms_of(label)
    automatic = hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC
    by_hand = drawn is not None and not drawn.proposed
    made = hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=name[:64] or f"label {label.value}",
        segmented_property_category=code(said.category),
        segmented_property_type=code(said.type),
        algorithm_type=automatic if drawn is None else drawn.algorithm_type,
        algorithm_identification=None if by_hand else algorithm(study),
        tracking_uid=study.uid("track", name),
        tracking_id=name[:64] or f"label {label.value}",
        anatomic_regions=[code(said.organ)] if said.organ else None,
    )
    side = [studies.coded(said.side)] if said.side else []
    if side and said.organ:
        made.AnatomicRegionSequence[0].AnatomicRegionModifierSequence = side
    elif side:
        made.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence = side
    made.RecommendedDisplayCIELabValue = cielab(colour_of(label, number - 1))
    return made
