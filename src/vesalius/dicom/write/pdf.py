"""Writing a Text as a PDF inside a DICOM object (PS3.3 A.45.1): A4, its headings and texts, no patient's name.

What the model does not bear out stands in red below its section; where it looked is shown on pages behind the text.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import EncapsulatedPDFStorage

from vesalius.core.answers import Answer
from vesalius.core.answers.text import Text
from vesalius.core.errors import OutputError
from vesalius.core.image import Array, Image
from vesalius.core.words import counted
from vesalius.dicom.write import study as studies
from vesalius.dicom.write.looked import looked, sentence_of
from vesalius.dicom.write.sc import pictures
from vesalius.dicom.write.sr_text import sections

KIND, NUMBER = "PDF", 6

_FONT = "DejaVu Sans"
_WIDE, _HIGH = 8.27, 11.69  # inches
_MARGIN, _POINTS, _LEADING = 0.9, 10.5, 1.4
_LETTERS = 84  # a line, at that size between those margins
_PICTURES, _CAPTION = 6, 48  # pictures on a page, letters of a line below them
_DOUBT = "#a01010"
_LOOKED = "Where the model looked as it wrote a sentence, in the plane where that is strongest"


def write(thing: Image | Answer, path: Path, *, source: Image | None = None) -> None:
    """Write an encapsulated PDF into the source's study. Raises OutputError."""
    if not isinstance(thing, Text):
        raise OutputError("a PDF holds a text", found=type(thing).__name__)
    study = studies.study_of(thing, source)
    studies.save(document(pdf(thing, study.version, pictures(thing, source)), study), path)


def document(data: bytes, study: studies.ResultStudy) -> Dataset:
    """Return the data set around the bytes of a PDF."""
    made = Dataset()
    made.SOPClassUID, made.Modality = EncapsulatedPDFStorage, "DOC"
    studies.fill(made, study, kind=KIND, what="report", number=NUMBER)
    made.ConversionType = "WSD"
    made.ContentDate, made.ContentTime = made.InstanceCreationDate, made.InstanceCreationTime
    made.AcquisitionDateTime = ""
    made.BurnedInAnnotation = "NO"
    made.SourceInstanceSequence = [studies.referenced(head) for head in study.heads]
    made.DocumentTitle = f"{studies.MAKER} report ({studies.RESEARCH})"
    made.ConceptNameCodeSequence = [studies.coded(("18748-4", "LN", "Diagnostic Imaging Report"))]
    made.MIMETypeOfEncapsulatedDocument = "application/pdf"
    made.EncapsulatedDocumentLength = len(data)
    made.EncapsulatedDocument = data + b"\0" * (len(data) % 2)
    return made


def pdf(answer: Text, version: str, pictures: Sequence[Array] = ()) -> bytes:
    """Return the text as a PDF, its letters embedded; `pictures` are where the model looked, one for each of `looked`.

    Raises OutputError for letters that the font does not have.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_pdf import PdfPages
    from matplotlib.figure import Figure

    lines = list(_lines(answer, version))
    captions = [
        (one.sentence or one.part, picture) for one, picture in zip(looked(answer), pictures, strict=True)
    ]
    _check_letters([*lines, *(_Line(caption) for caption, _ in captions)])
    step = _POINTS * _LEADING / 72
    fits = int((_HIGH - 2 * _MARGIN) / step)
    buffer = io.BytesIO()
    said = {"Title": lines[0].text, "Creator": studies.MAKER, "Producer": studies.MAKER, "CreationDate": None}
    with rc_context({"pdf.fonttype": 42, "font.family": _FONT}), PdfPages(buffer, metadata=said) as pages:
        for start in range(0, len(lines), fits):
            page = Figure(figsize=(_WIDE, _HIGH))
            for k, line in enumerate(lines[start : start + fits]):
                page.text(
                    _MARGIN / _WIDE, 1 - (_MARGIN + k * step) / _HIGH, line.text, fontsize=_POINTS, va="top",
                    fontweight="bold" if line.bold else "normal", color=line.colour, parse_math=False,
                )  # fmt: skip
            pages.savefig(page)
        for start in range(0, len(captions), _PICTURES):
            pages.savefig(_pictured(captions[start : start + _PICTURES]))
    return buffer.getvalue()


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of the page."""

    text: str
    bold: bool = False
    colour: str = "black"


def _lines(answer: Text, version: str) -> Iterator[_Line]:
    """Yield the lines of a text: its headings, its sentences, and below them what the model does not bear out."""
    yield _Line(f"{studies.MAKER} report: {studies.RESEARCH} only", bold=True)
    for line in textwrap.wrap(_read_by(answer, version), _LETTERS):
        yield _Line(line)
    doubted = [(e, sentence_of(answer, e)) for e in answer.evidence if e.supported is False]
    if doubted:
        count = counted(len(doubted), "sentence is", "sentences are")
        yield _Line(f"{count} not borne out by the rest of the model: see below.", bold=True, colour=_DOUBT)
    yield _Line("")
    for name, text in sections(answer):
        yield _Line(name, bold=True)
        for part in text.splitlines():
            yield from (_Line(line) for line in textwrap.wrap(part, _LETTERS) or [""])
        for one, sentence in doubted:
            if one.section == name:
                told = f"Not borne out: \u201c{sentence}\u201d {one.why}".rstrip()
                yield from (_Line(line, colour=_DOUBT) for line in textwrap.wrap(told, _LETTERS))
        yield _Line("")


def _read_by(answer: Text, version: str) -> str:
    """Return who made a text, and who has read it."""
    edit = answer.edit
    made = f"Made by {studies.MAKER} {version}"
    if edit is None:
        return f"{made}; read by nobody yet."
    answers_for = f"verified for {edit.organisation}" if edit.verified else "not verified"
    return f"{made}; changed by {edit.author} at {edit.at}, version {edit.version}, {answers_for}."


def _pictured(captions: Sequence[tuple[str, Array]]) -> Any:
    """Return a page of pictures, each below the sentence that was written as the model looked there."""
    from matplotlib.figure import Figure

    page = Figure(figsize=(_WIDE, _HIGH))
    page.text(_MARGIN / _WIDE, 1 - _MARGIN / _HIGH, _LOOKED, fontsize=_POINTS, va="top", fontweight="bold")
    wide, high = (_WIDE - 2.2 * _MARGIN) / 2, (_HIGH - 2.6 * _MARGIN) / 3
    for k, (caption, picture) in enumerate(captions):
        left, top = _MARGIN + (k % 2) * (wide + 0.2 * _MARGIN), 1.5 * _MARGIN + (k // 2) * high
        words = textwrap.shorten(caption, 2 * _CAPTION, placeholder=" …")
        page.text(
            left / _WIDE, 1 - top / _HIGH, "\n".join(textwrap.wrap(words, _CAPTION)), fontsize=_POINTS - 2, va="top",
            parse_math=False,
        )  # fmt: skip
        axes = page.add_axes(
            (left / _WIDE, 1 - (top + high - 0.2) / _HIGH, wide / _WIDE, (high - 0.75) / _HIGH)
        )
        axes.imshow(picture[0])
        axes.axis("off")
    return page


def _check_letters(lines: Sequence[_Line]) -> None:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    for bold in (False, True):
        font = get_font(findfont(FontProperties(family=_FONT, weight="bold" if bold else "normal")))
        wanted = {letter for line in lines if line.bold == bold for letter in line.text}
        missing = sorted(letter for letter in wanted if ord(letter) not in font.get_charmap())
        if missing:
            raise OutputError(
                "letters that the PDF's font does not have", found="".join(missing[:20]), hint=".sr.dcm"
            )
