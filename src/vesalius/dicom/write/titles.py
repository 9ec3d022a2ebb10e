"""What DICOM results are called: who made what of which series, and that it is for research."""

from __future__ import annotations

from pydicom.dataset import Dataset

MAKER = "Vesalius"
RESEARCH = "research use"
REMARKS = "Differs from what the model learned from"
_LO = 64  # bytes of a long string: 64 characters are allowed (PS3.5 6.2), but readers count bytes
_NAMES = 12  # bytes of it that are left for the bundle and the source, however long the name of the part


def series_text(what: str, source: Dataset, *, by: str = MAKER, part: str = "") -> str:
    """Return a SeriesDescription, 64 bytes at most (LO): who made what of which series, and that it is for research.

    `source` is the header of an image of that series, `part` says which of its stacks.
    """
    number, said = number_of(source), str(source.get("SeriesDescription") or "")
    of = " ".join(w for w in ("" if number is None else str(number), said) if w)
    of = of or f"a {source.get('Modality') or 'series'}"
    end = f" ({RESEARCH})"
    room = _LO - _bytes(f" {what} of {end}")
    told = f", {_cut(part, room - _NAMES - 2)}" if part else ""
    room -= _bytes(told)
    of = _cut(of, room - min(_bytes(by), room // 2))
    return f"{_cut(by, room - _bytes(of))} {what} of {of}{told}{end}"


def number_of(head: Dataset) -> int | None:
    """Return the number of a series, None where it has none that is one."""
    try:
        return int(head.SeriesNumber)
    except (AttributeError, TypeError, ValueError):
        return None


def _bytes(text: str) -> int:
    return len(text.encode())


def _cut(text: str, length: int) -> str:
    """Return a text that fits into so many bytes, and is valid: no backslash, no control characters."""
    clean = " ".join("".join(c if c.isprintable() and c != "\\" else " " for c in text).split())
    if _bytes(clean) <= length:
        return clean
    return f"{clean.encode()[: length - _bytes('…')].decode(errors='ignore').rstrip()}…"
