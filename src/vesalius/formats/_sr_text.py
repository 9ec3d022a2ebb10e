"""A text as a report after TID 2000: a container a section, its heading coded where the standard has it (CID 7001)."""

from __future__ import annotations

from typing import Any

from highdicom import sr
from pydicom.sr.coding import Code

from vesalius.core.answer import Text
from vesalius.core.errors import OutputError
from vesalius.formats import _dicom_terms as terms

_HEADINGS = {
    "findings": ("59776-5", "LN", "Findings"),
    "impression": ("19005-8", "LN", "Impressions"),
    "conclusion": ("55110-1", "LN", "Conclusions"),
    "history": ("11329-0", "LN", "History"),
    "indication": ("18785-6", "LN", "Indications for Procedure"),
    "recommendation": ("18783-1", "LN", "Recommendations"),
}
_TITLE = Code("18748-4", "LN", "Diagnostic Imaging Report")
_SAID = {"findings": Code("121071", "DCM", "Finding"), "impression": Code("121073", "DCM", "Impression")}
_LANGUAGE = sr.CodedConcept("und", "RFC5646", "undetermined")


def sections(answer: Text) -> list[tuple[str, str]]:
    """Headings and texts, without empty ones. Raises OutputError where nothing is left."""
    found = [(name, text.strip()) for name, text in answer.sections.items() if text.strip()]
    if not found:
        raise OutputError("an empty text")
    return found


def content(answer: Text, observer: Any) -> Any:
    """The content tree, from its root. Raises OutputError for an empty text."""
    root = sr.ContainerContentItem(name=_TITLE, template_id="2000")
    root.ContentSequence = sr.ContentSequence()
    root.ContentSequence.extend(sr.LanguageOfContentItemAndDescendants(_LANGUAGE))
    root.ContentSequence.extend(observer)
    for name, text in sections(answer):
        key = name.lower().removesuffix("s")
        key = "findings" if key == "finding" else key
        heading = Code(*_HEADINGS.get(key, terms.private(name)))
        section = sr.ContainerContentItem(name=heading, relationship_type="CONTAINS")
        said = sr.TextContentItem(name=_SAID.get(key, heading), value=text, relationship_type="CONTAINS")
        section.ContentSequence = sr.ContentSequence([said])
        root.ContentSequence.append(section)
    return root
