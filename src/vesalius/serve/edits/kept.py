"""One edit of a report, as it is kept: a line of JSON that names no patient and no file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from vesalius.core.edit import Edit
from vesalius.core.errors import FormatError


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
