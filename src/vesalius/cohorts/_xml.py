"""XML of which no entity is expanded: a file that declares any, or a document type, is refused."""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from xml.etree import ElementTree

from vesalius.core.errors import FormatError

LARGEST = 32 << 20  # bytes
_DECLARED = re.compile(rb"""^\s*<\?xml[^>]*encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_DTD = re.compile(r"<!\s*(DOCTYPE|ENTITY|ELEMENT|ATTLIST)", re.I)
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_UNSAFE = ("utf-7", "utf7", "unicode_escape", "raw_unicode_escape", "idna", "punycode")


def load(path: Path) -> ElementTree.Element:
    """Return the root of an XML file, in UTF-8, UTF-16 or the encoding that it declares.

    Raises FormatError for a file with a document type or an entity, which could grow without end or read other files,
    for one that is not whole, and for one above 32 MiB.
    """
    try:
        size = path.stat().st_size
        if size > LARGEST:
            raise FormatError(f"{path}: too large for annotations of one picture", found=f"{size:,} bytes")
        data = path.read_bytes()
    except OSError as error:
        raise FormatError(f"{path} cannot be read", found=error.strerror or str(error)) from error
    return parsed(data, path)


def parsed(data: bytes, path: Path) -> ElementTree.Element:
    """Return the root of XML in bytes, as `load` does; `path` is what errors name."""
    text = _text(data, path)
    if (match := _DTD.search(text)) is not None:
        raise FormatError(
            f"{path}: XML with a document type or entities is not read",
            found=match.group(0),
            hint="save it without its <!DOCTYPE …>",
        )
    try:
        return ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError, RecursionError) as error:
        raise FormatError(f"{path}: damaged XML", found=str(error)[:120]) from error


def _text(data: bytes, path: Path) -> str:
    """Return a file's text without the encoding that it declares. Raises FormatError."""
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    if encoding is None:
        declared = _DECLARED.match(data[:200])
        encoding = declared.group(1).decode() if declared else "utf-8"
    try:
        name = codecs.lookup(encoding).name
        if name in _UNSAFE or not name:
            raise LookupError(encoding)
        text = data.decode(name)
    except (LookupError, UnicodeDecodeError, ValueError) as error:
        raise FormatError(
            f"{path}: its text cannot be read", found=str(error)[:120], hint="save it as UTF-8"
        ) from error
    return re.sub(r"^\s*<\?xml[^>]*\?>", "", text.lstrip("\ufeff"), count=1)
