"""Reference: the report that a text is held against, and what is true of the image that it is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from vesalius.core.case import Case
from vesalius.core.finding import Finding
from vesalius.texts.reading import findings_in
from vesalius.texts.sections import LEAD, parted
from vesalius.texts.terms import Terms


@dataclass(frozen=True)
class Reference:
    """What a text is held against.

    `sections` is the report that a person wrote, by section, without any where there is none. `findings` is what is
    true of the image, None where nobody knows; `known` says that it is known of the image itself, else it was read from
    the report. `terms` are those by which a text is to be read, so that both are read alike; None where only words are
    compared.
    """

    sections: Mapping[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] | None = None
    known: bool = False
    terms: Terms | None = None


def reference_of(
    case: Case, terms: Terms | None = None, *, sections: Sequence[str] | None = None
) -> Reference | None:
    """Return what a text about a case is held against; None of a case without a report of which nothing is known.

    `sections` are those that are compared, by default all. A report without any of these is compared as the first of
    them where it has no headings at all, and counts as none where it has others. What is true is what is known of the
    image (`Case.findings`), by the names that `terms` have for it, else what the report says by `terms`, whatever
    section says it.
    """
    whole = parted(case.report) if case.report and case.report.strip() else {}
    kept = whole if sections is None else _kept(whole, sections)
    found = findings_of(case, terms)
    if not whole and found is None:
        return None
    return Reference(kept, found, case.findings is not None, terms)


def findings_of(case: Case, terms: Terms | None) -> tuple[Finding, ...] | None:
    """Return what is true of a case: what is known of its image, `named` by terms, else what its report says by them.

    None where neither says anything.
    """
    if case.findings is not None:
        return named(case.findings, terms)
    if terms is None or not case.report or not case.report.strip():
        return None
    return findings_in(parted(case.report), terms)


def named(findings: Sequence[Finding], terms: Terms | None) -> tuple[Finding, ...]:
    """Return known findings by the names of terms (`pleural effusion` is `effusion`); what no term means stays.

    What a model learns, is calibrated on and is judged by goes through here, so that all of it has the same names.
    """
    if terms is None:
        return tuple(findings)
    return tuple(f if f.name in terms.by_name else replace(f, name=_name_of(f.name, terms)) for f in findings)


def _name_of(words: str, terms: Terms) -> str:
    found = {f.name for f in findings_in(f"{words.replace('_', ' ')}.", terms)}
    return found.pop() if len(found) == 1 else words


def _kept(whole: Mapping[str, str], sections: Sequence[str]) -> dict[str, str]:
    """Return the sections that are compared, in their own order."""
    kept = {name: whole[name] for name in sections if name in whole}
    if not kept and set(whole) == {LEAD} and sections:
        return {sections[0]: whole[LEAD]}
    return kept
