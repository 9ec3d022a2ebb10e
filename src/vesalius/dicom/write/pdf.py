"""Writing a Text as a PDF inside a DICOM object (PS3.3 A.45.1): A4, its headings and texts, no patient's name."""

from __future__ import annotations

import io
import textwrap
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.uid import EncapsulatedPDFStorage

from vesalius.core.answers import Answer
from vesalius.core.answers.text import Text
from vesalius.core.errors import OutputError
from vesalius.core.image import Image
from vesalius.dicom.write import study as studies

KIND, NUMBER = "PDF", 6

_FONT = "DejaVu Sans"
_WIDE, _HIGH = 8.27, 11.69  # inches
_MARGIN, _POINTS, _LEADING = 0.9, 10.5, 1.4
_LETTERS = 84  # a line, at that size between those margins


def write(thing: Image | Answer, path: Path, *, source: Image | None = None) -> None:
    """Write an encapsulated PDF into the source's study. Raises OutputError."""
    if not isinstance(thing, Text):
        raise OutputError("a PDF holds a text", found=type(thing).__name__)
    study = studies.study_of(thing, source)
    studies.save(document(pdf(thing, study.version), study), path)


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


def pdf(answer: Text, version: str) -> bytes:
    """Return the text as a PDF, its letters embedded. Raises OutputError for letters that the font does not have."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_pdf import PdfPages
    from matplotlib.figure import Figure

    from vesalius.dicom.write.sr_text import sections

    lines: list[tuple[str, bool]] = [(f"{studies.MAKER} report: {studies.RESEARCH} only", True)]
    lines += [(f"Made by {studies.MAKER} {version}; read by nobody yet.", False), ("", False)]
    for name, text in sections(answer):
        lines.append((name, True))
        for part in text.splitlines():
            lines += [(line, False) for line in textwrap.wrap(part, _LETTERS) or [""]]
        lines.append(("", False))
    _check_letters(lines)
    step = _POINTS * _LEADING / 72
    fits = int((_HIGH - 2 * _MARGIN) / step)
    buffer = io.BytesIO()
    said = {"Title": lines[0][0], "Creator": studies.MAKER, "Producer": studies.MAKER, "CreationDate": None}
    with rc_context({"pdf.fonttype": 42, "font.family": _FONT}), PdfPages(buffer, metadata=said) as pages:
        for start in range(0, len(lines), fits):
            page = Figure(figsize=(_WIDE, _HIGH))
            for k, (line, bold) in enumerate(lines[start : start + fits]):
                page.text(
                    _MARGIN / _WIDE, 1 - (_MARGIN + k * step) / _HIGH, line, fontsize=_POINTS, va="top",
                    fontweight="bold" if bold else "normal", parse_math=False,
                )  # fmt: skip
            pages.savefig(page)
    return buffer.getvalue()


def _check_letters(lines: list[tuple[str, bool]]) -> None:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    for bold in (False, True):
        font = get_font(findfont(FontProperties(family=_FONT, weight="bold" if bold else "normal")))
        wanted = {letter for line, heavy in lines if heavy == bold for letter in line}
        missing = sorted(letter for letter in wanted if ord(letter) not in font.get_charmap())
        if missing:
            raise OutputError(
                "letters that the PDF's font does not have", found="".join(missing[:20]), hint=".sr.dcm"
            )
