"""A text as a report after TID 2000: a container a section, its heading coded where the standard has it (CID 7001)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from highdicom import sr
from pydicom.sr.coding import Code

from vesalius.core.answers import Answer
from vesalius.core.answers.text import Text
from vesalius.core.errors import OutputError
from vesalius.dicom.values import terms
from vesalius.dicom.values.report_codes import HEADINGS, SAID, UNHEADED
from vesalius.dicom.write.sr_sentences import Seen, items
from vesalius.dicom.write.titles import REMARKS

_EVALUATIONS = Code("C0034375", "UMLS", "Qualitative Evaluations")
_TITLE = Code("18748-4", "LN", "Diagnostic Imaging Report")
_LANGUAGES = {
    "": ("und", "undetermined"),
    "en": ("en", "English"),
    "de": ("de", "German"),
    "fr": ("fr", "French"),
}


def sections(answer: Text) -> list[tuple[str, str]]:
    """Return headings and texts, without empty ones, and the remarks last. Raises OutputError where nothing is left."""
    found = [(name, text.strip()) for name, text in answer.sections.items() if text.strip()]
    if not found:
        raise OutputError("an empty text")
    said = remarks(answer)
    return [*found, (REMARKS, "\n".join(said))] if said else found


def remarks(answer: Answer) -> tuple[str, ...]:
    """Return in what the image differs from those that the model learned from, or that nobody knows."""
    promised = _promised(answer)
    if answer.outside is None and answer.bundle:
        return ("unknown: the model does not say what it learned from", *promised)
    return (*(answer.outside or ()), *promised)


def _promised(answer: Answer) -> tuple[str, ...]:
    """Return what a calibration promises of an answer, and what weakens that, as texts; none without a promise."""
    made = answer.promise
    if made is None:
        return ()
    what = "set" if made.labels is not None else "interval" if made.interval is not None else "part"
    group = f" of the group {made.group}" if made.group else ""
    told = f"promised at {made.share}, {what}: {made.text}; {made.says}, which were {made.n}{group}"
    return (told, *(f"of the promise: {text}" for text in made.remarks))


def remarks_item(said: Sequence[str]) -> Any:
    """Return remarks as a container of texts that stands at the end of a measurement report (TID 1500)."""
    name = Code(*terms.private(REMARKS))
    item = sr.ContainerContentItem(name=_EVALUATIONS, relationship_type="CONTAINS")
    texts = [sr.TextContentItem(name=name, value=text, relationship_type="CONTAINS") for text in said]
    item.ContentSequence = sr.ContentSequence(texts)
    return item


def content(answer: Text, observers: Sequence[Any], seen: Seen) -> Any:
    """Return the content tree, from its root; `observers` come in their order. Raises OutputError for an empty text."""
    root = sr.ContainerContentItem(name=_TITLE, template_id="2000")
    root.ContentSequence = sr.ContentSequence()
    root.ContentSequence.extend(sr.LanguageOfContentItemAndDescendants(_language(answer)))
    for observer in observers:
        root.ContentSequence.extend(observer)
    for name, text in sections(answer):
        key = _key(name)
        heading = Code(*HEADINGS.get(key, terms.private(name) if name else UNHEADED))
        section = sr.ContainerContentItem(name=heading, relationship_type="CONTAINS")
        if name in answer.sections:
            said = list(items(answer, name, Code(*SAID[key]) if key in SAID else heading, seen))
        else:
            said = [sr.TextContentItem(name=heading, value=text, relationship_type="CONTAINS")]
        section.ContentSequence = sr.ContentSequence(said)
        root.ContentSequence.append(section)
    return root


def _key(name: str) -> str:
    key = name.lower().removesuffix("s")
    return "findings" if key == "finding" else key


def _language(answer: Text) -> Any:
    code, meaning = _LANGUAGES.get(answer.language, (answer.language, answer.language))
    return sr.CodedConcept(code, "RFC5646", meaning)
