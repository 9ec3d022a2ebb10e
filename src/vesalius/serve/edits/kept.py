"""One edit of a report, as it is kept: a line of JSON that names no patient and no file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from vesalius.core.answers.text import Evidence, Text
from vesalius.core.case import Case, Ref
from vesalius.core.disk import sha256
from vesalius.core.edit import Edit
from vesalius.core.errors import FormatError
from vesalius.core.sentences import sentences


@dataclass(frozen=True, slots=True)
class KeptEdit:
    """An edit with what it is of: the image by its content, the bundle by its hash, and both texts.

    `caller` is the name of the key that was used, `written` the model's own sections, `sections` what they are now.
    """

    edit: Edit
    image: str
    bundle: str
    model: str
    caller: str
    written: Mapping[str, str] = field(default_factory=dict)
    sections: Mapping[str, str] = field(default_factory=dict)

    def line(self) -> bytes:
        """Return the edit as a line of JSON, its end included."""
        return json.dumps(asdict(self), ensure_ascii=True).encode() + b"\n"


def kept_edit(raw: Any, where: str) -> KeptEdit:
    """Return the edit of a line. Raises FormatError for what is none."""
    try:
        said = dict(raw)
        edit = Edit(**said.pop("edit"))
        written, sections = _texts(said.pop("written")), _texts(said.pop("sections"))
        made = KeptEdit(edit, written=written, sections=sections, **said)
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"{where} is no edit of a report", found=type(error).__name__) from error
    if not all(isinstance(x, str) for x in (edit.id, edit.author, edit.at, made.image, made.bundle)):
        raise FormatError(f"{where} is no edit of a report", found="a field that is no text")
    return made


def _texts(raw: Any) -> dict[str, str]:
    if not all(isinstance(k, str) and isinstance(v, str) for k, v in raw.items()):
        raise TypeError("sections")
    return dict(raw)


def image_digest(case: Case) -> str | None:
    """Return what a case's images are known by wherever their files lie: a SHA-256 of the files' bytes, in no order.

    None of a case whose image lies in no file that is there.
    """
    refs = sorted(_refs(case), key=lambda pair: pair[0])
    parts = []
    for name, ref in refs:
        if not all(path.is_file() for path in ref.paths):
            return None
        parts.append((name, sorted(map(sha256, ref.paths)), ref.member, ref.index))
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest() if parts else None


def edited(answer: Text, kept: KeptEdit) -> Text:
    """Return a model's text as an edit has it: what is known of a sentence stays with those that are left as they were.

    A changed sentence stands on nothing that the model has seen, and so keeps no finding, mark or map.
    """
    known: dict[tuple[str, str], list[Evidence]] = {}
    for one in answer.evidence:
        said = sentences(answer.sections.get(one.section, ""))
        if one.sentence < len(said):
            known.setdefault((one.section, said[one.sentence]), []).append(one)
    evidence = []
    for section, text in kept.sections.items():
        for place, sentence in enumerate(sentences(text)):
            held = known.get((section, sentence))
            if held:
                evidence.append(replace(held.pop(0), sentence=place))
    return replace(answer, sections=dict(kept.sections), evidence=tuple(evidence), edit=kept.edit)


def _refs(case: Case) -> Iterable[tuple[str, Ref]]:
    for name, image in case.images.items():
        if isinstance(image, Ref):
            yield ("" if len(case.images) == 1 else name), image


def first_image_path(case: Case) -> Path | None:
    """Return the first file of a case's first image; None where it lies in none."""
    return next((ref.paths[0] for _, ref in _refs(case) if ref.paths), None)
