"""Where a model looked as it wrote a report: of each map that a sentence refers to, the plane where it is strongest."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from vesalius.core import grids
from vesalius.core.answers.map import Map
from vesalius.core.answers.text import Evidence, Text
from vesalius.core.case import Ref
from vesalius.core.errors import OutputError
from vesalius.core.image import Image
from vesalius.core.sentences import sentences


@dataclass(frozen=True, eq=False)
class Looked:
    """A map of a text: its part's name, the sentence that first refers to it, its strongest plane (from 0), itself."""

    part: str
    sentence: str
    z: int
    map: Map


def looked(answer: Text) -> tuple[Looked, ...]:
    """Return the maps that the sentences of a text refer to, each once, in the order of the sentences.

    A map without a finite value shows nothing and is left out.
    """
    found: dict[str, Looked] = {}
    for one in answer.evidence:
        field = answer.parts.get(one.part)
        if one.part in found or not isinstance(field, Map):
            continue
        values = field.image.array[0]
        held = np.where(np.isfinite(values), values, -np.inf)
        if np.isfinite(held).any():
            z = int(np.unravel_index(int(held.argmax()), held.shape)[0])
            found[one.part] = Looked(one.part, sentence_of(answer, one), z, field)
    return tuple(found.values())


def sentence_of(answer: Text, evidence: Evidence) -> str:
    """Return the sentence that evidence is about; "" where the text has none there."""
    said = sentences(answer.sections.get(evidence.section, ""))
    return said[evidence.sentence] if 0 <= evidence.sentence < len(said) else ""


def plane_of(one: Looked, source: Image) -> tuple[Map, Image]:
    """Return the strongest plane of a map and that of its source. Raises OutputError where their grids differ."""
    if source.times_s is not None:  # on its first time
        source = replace(source, array=source.array[0], times_s=None)
    if source.array.ndim != 4 or source.shape != one.map.image.shape:
        words = grids.difference(one.map.image, source) or f"{source.array.ndim} axes"
        raise OutputError("where a sentence's model looked lies on another grid than its source", found=words)
    here = slice(one.z, one.z + 1)
    field = replace(one.map, image=replace(one.map.image, array=one.map.image.array[:, here]))
    return field, replace(source, array=source.array[:, here])


def source_of(answer: Text) -> Image:
    """Return the image that a text was made from. Raises FormatError."""
    from vesalius.dicom.read.image import read

    return read(Ref(answer.source.files, answer.source.member, answer.source.index))
