"""The template of `report`: findings said in plain sentences, one each, without a writer.

It is the baseline that stands beside what a model writes, what takes the place of a sentence that is not borne out,
and the honest answer where the writer is worse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vesalius.core.finding import Finding

FINDINGS, IMPRESSION = "findings", "impression"
NOTHING = "No acute finding."
SIDES = {"left": "left", "right": "right", "both": "bilateral"}


def sentence_of(finding: Finding, words: Mapping[str, str]) -> str:
    """Return a finding as one sentence: `Left pleural effusion of 12 mm.`, or `No pneumothorax.`.

    `words` is how a finding's name is written.
    """
    name = words.get(finding.name, finding.name)
    if finding.status == "absent":
        return f"No {name}."
    said = [SIDES.get(finding.side or "", ""), name]
    said += [f"of {max(1, round(finding.size_mm))} mm"] if finding.size_mm else []
    text = " ".join(part for part in said if part)
    text = {"uncertain": f"possible {text}", "past": f"history of {text}"}.get(finding.status, text)
    return f"{text[:1].upper()}{text[1:]}."


def template(
    findings: Sequence[Finding], sections: Sequence[str], words: Mapping[str, str]
) -> dict[str, str]:
    """Return findings as a text in those of `sections` that the template has; what is there comes first.

    All findings stand in the first section that is no impression, and what is there once more in the impression.
    """
    present = [f for f in findings if f.status != "absent"]
    ordered = [*present, *(f for f in findings if f.status == "absent")]
    body = next((s for s in sections if s != IMPRESSION), None)
    made: dict[str, str] = {}
    if body is not None:
        made[body] = " ".join(sentence_of(f, words) for f in ordered) or NOTHING
    if IMPRESSION in sections:
        said = ordered if body is None else present
        made[IMPRESSION] = " ".join(sentence_of(f, words) for f in said) or NOTHING
    return made


def about_sentence(findings: Sequence[Finding], sections: Sequence[str]) -> list[Finding | None]:
    """Return of each sentence of `template` which finding it is about; None of one that names nothing."""
    present = [f for f in findings if f.status != "absent"]
    ordered: list[Finding | None] = [*present, *(f for f in findings if f.status == "absent")]
    body = next((s for s in sections if s != IMPRESSION), None)
    found: list[Finding | None] = [] if body is None else (ordered or [None])
    if IMPRESSION in sections:
        found += (ordered or [None]) if body is None else ([*present] or [None])
    return found
