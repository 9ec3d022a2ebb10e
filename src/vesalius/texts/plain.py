"""Plain text: a report's bytes and cells without what programs left in them, and what tells prose from other text."""

from __future__ import annotations

import html
import re
import unicodedata
from pathlib import Path

from vesalius.core.delimited import decoded
from vesalius.core.errors import FormatError
from vesalius.core.sentences import sentences
from vesalius.texts.sections import parted

LARGEST = 1 << 22  # bytes of one report's file
_OTHER = {
    b"%PDF": "PDF",
    b"{\\rtf": "RTF",
    b"PK\x03\x04": "zip or DOCX",
    b"\xd0\xcf\x11\xe0": "DOC",
    b"\x1f\x8b": "gzip",
}
_ENTITY = re.compile(r"&(?:[a-zA-Z]{2,8}|#\d{1,6}|#x[0-9a-fA-F]{1,5});")
_BREAK = re.compile(r"<(?:br|/?p|/?div|/?li|/?tr|/h[1-6])\b[^<>]{0,80}>", re.I)
_TAG = re.compile(
    r"</?(?:html|body|pre|table|td|th|ul|ol|b|i|u|em|strong|span|font|h[1-6]|sub|sup)\b[^<>]{0,80}>", re.I
)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]")
_WORD = re.compile(r"[^\W\d_]{2,}")
_BLANK = re.compile(r"\b[Xx]{3,}\b|_{3,}|\[\*\*.{0,80}?\*\*\]|\[(?:removed|redacted)\]|<(?:REDACTED|DEID)>")
_BETWEEN = re.compile(r"\s|[\u2e80-\uffef]")  # blanks, or a script that puts none between words
_FEWEST_WORDS = 2


def cleaned(text: str) -> str:
    """Return a report without the marks of programs: entities and tags of HTML, null bytes, byte-order marks, lines'
    other ends, blanks at lines' ends and empty lines in a row.

    Letters and their accents become one character each (NFC). `<` as a word and the blanks of de-identification
    (`XXXX`) stay.
    """
    found = text
    for _ in range(2):  # what was escaped twice
        found = _ENTITY.sub(lambda m: html.unescape(m[0]), found)
    found = _TAG.sub("", _BREAK.sub("\n", found))
    found = re.sub(r"\r\n?|[\f\v\u2028\u2029\x85]", "\n", found).replace("\xa0", " ")
    found = _CONTROL.sub("", found)
    if not found.isascii():
        found = "".join(c for c in found if unicodedata.category(c) not in ("Cf", "Cs"))
        found = unicodedata.normalize("NFC", found)
    found = "\n".join(line.rstrip() for line in found.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", found).strip()


def read_text(path: Path) -> str:
    """Return the cleaned text of a file in UTF-8, UTF-16 or what Windows writes in the West.

    Raises FormatError for one that cannot be read, is larger than 4 MiB, or holds something else than text.
    """
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= LARGEST else b""
    except OSError as error:
        raise FormatError(f"{path} cannot be read", found=error.strerror or str(error)) from error
    if size > LARGEST:
        raise FormatError(f"{path} is too large for a report", found=f"{size:,} bytes")
    return text_of(data, str(path))


def text_of(data: bytes, where: str) -> str:
    """Return the cleaned text in bytes; `where` names them in errors. Raises FormatError where they are no text."""
    for start, kind in _OTHER.items():
        if data.startswith(start):
            raise FormatError(f"{where} is no plain text", found=kind, hint="save its text as UTF-8")
    if (
        not data.startswith((b"\xff\xfe", b"\xfe\xff")) and data.count(0) > len(data) // 4
    ):  # UTF-16 without its mark
        even = data[0::2].count(0) > data[1::2].count(0)
        return cleaned(data.decode("utf-16-be" if even else "utf-16-le", errors="replace"))
    text = decoded(data)
    strange = sum(1 for c in text if unicodedata.category(c) == "Cc" and c not in "\r\n\t\f\v\0")
    if strange > 0.05 * max(len(text), 1):
        raise FormatError(f"{where} is no plain text", found="bytes that are no letters")
    return cleaned(text)


def is_prose(text: str) -> bool:
    """Return whether a text is words rather than numbers, a path or a list of labels."""
    words = _WORD.findall(text)
    letters = sum(map(len, words))
    digits = sum(c.isdigit() for c in text)
    between = _BETWEEN.search(text.strip()) is not None
    return len(words) >= _FEWEST_WORDS and letters > 2 * digits and between


def blanks(text: str) -> int:
    """Return how many blanks of de-identification a text has, such as `XXXX`, `___` or `[**Name**]`."""
    return len(_BLANK.findall(text))


def words_in(text: str) -> int:
    """Return how many words a text has."""
    return len(re.findall(r"\w+(?:[.'’-]\w+)*", text))


def content_key(report: str) -> str:
    """Return what two reports that say the same have in common: their findings and impression, in small letters
    and without signs; the whole of one that has neither. It is "" where a report says nothing.
    """
    sections = parted(report)
    said = [sections.get(name, "") for name in ("findings", "impression", "findings and impression")]
    chosen = "\n".join(said if any(map(str.strip, said)) else sections.values())
    return " ".join(re.findall(r"\w+", chosen.casefold()))


def is_empty(report: str) -> bool:
    """Return whether a report says nothing: it has no sentence beside its headings, and blanks alone in these."""
    held = (s for text in parted(report).values() for s in sentences(text))
    return not any(_WORD.search(_BLANK.sub("", s)) for s in held)
