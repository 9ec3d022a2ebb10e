"""What a text says of findings, sentence by sentence beside the truth, and what is wrong with each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vesalius.core.answers.text import Evidence, Text
from vesalius.core.sentences import all_sentences
from vesalius.core.words import counted
from vesalius.metrics.text import Claim, Held, Pair, Truth, held_of

MARKED = "not borne out"
COLUMNS = (
    "sentence", "section", "text", "finding", "status", "side", "place", "size_mm", "count", "change", "borne_out",
    "why",
)  # fmt: skip


def sentences_of(answer: Text) -> list[tuple[str, int, str, Evidence | None]]:
    """Return every sentence: its section, its place there, its words, and what it stands on, where that is known."""
    known = {(e.section, e.sentence): e for e in answer.evidence}
    return [(name, k, words, known.get((name, k))) for name, k, words in all_sentences(answer.sections)]


def marked(answer: Text) -> list[tuple[str, str]]:
    """Return the sentences that are marked as not borne out, each with what speaks against it."""
    found = sentences_of(answer)
    return [(words, e.why) for _, _, words, e in found if e is not None and e.supported is False]


def rows_of(answer: Text) -> list[dict[str, Any]]:
    """Return a row a finding of each sentence, one of a sentence that says none, and an empty one of an empty text."""
    rows: list[dict[str, Any]] = []
    for place, (section, _, words, evidence) in enumerate(sentences_of(answer)):
        about = {"sentence": place, "section": section, "text": words}
        looked = None if evidence is None else evidence.supported
        marks = {
            "borne_out": "" if looked is None else int(looked),
            "why": "" if evidence is None else evidence.why,
        }
        for one in (evidence.findings if evidence is not None else ()) or (None,):
            said = {
                name: "" if one is None or getattr(one, name) is None else getattr(one, name)
                for name in ("name", "status", "side", "place", "size_mm", "count", "change")
            }
            rows.append({**about, "finding": said.pop("name"), **said, **marks})
    return rows or [dict.fromkeys(COLUMNS, "")]


def page_of(answer: Text, truth: Truth) -> dict[str, Any]:
    """Return one text beside its truth as a scorecard keeps it for a report: sentences, tones, and what is wrong."""
    held = held_of(answer, truth)
    wrong = notes_of(held)
    written = []
    for place, (section, _, words, evidence) in enumerate(sentences_of(answer)):
        notes = list(wrong.get(place, ()))
        mark = evidence is not None and evidence.supported is False
        if evidence is not None and mark:
            notes.append(f"marked as {MARKED}{f': {evidence.why}' if evidence.why else ''}")
        spoken = held is not None and place in held.spoken
        tone = "bad" if place in wrong else "warn" if mark else "good" if spoken else ""
        written.append([section, words, tone, "\n".join(notes)])
    wanted = [[section, words] for section, _, words in all_sentences(truth.sections)]
    missed = [] if held is None else [in_words(c) for c in held.missed]
    return {"written": written, "reference": wanted, "missed": missed}


def notes_of(held: Held | None) -> dict[int, list[str]]:
    """Return what is untrue in each sentence, by its place among all of the text."""
    found: dict[int, list[str]] = {}
    if held is None:
        return found

    def note(places: Sequence[int], text: str) -> None:
        for place in places:
            if place in held.wrong:  # one that says less than its claim may be true all the same
                found.setdefault(place, []).append(text)

    for claim in held.invented:
        note(claim.sentences, f"not there: {in_words(claim)}")
    for pair in held.pairs:
        for text in _wrong(pair):
            note(pair.said.sentences, text)
    for claim in held.denied:
        note(claim.sentences, f"denied, and there: {in_words(claim)}")
    return found


def _wrong(pair: Pair) -> list[str]:
    """Return what is wrong with a claim about a true finding."""
    found = []
    if pair.side is False:
        found.append(f"{pair.said.name} on the wrong side: {pair.said.side}, truly {pair.true.side}")
    if pair.size is False:
        found.append(f"{pair.said.name} of a wrong size: {_sizes(pair.said)}, truly {_sizes(pair.true)}")
    return found


def in_words(claim: Claim) -> str:
    """Return a claim in words."""
    words = [claim.side or "", claim.name, f"of {_sizes(claim)}" if claim.sizes_mm else ""]
    return " ".join(w for w in words if w)


def _sizes(claim: Claim) -> str:
    return " and ".join(f"{size:g} mm" for size in claim.sizes_mm)


def caption_of(held: Held | None) -> str:
    """Return in a few words what is wrong with a text; nothing where nobody knows what is true."""
    if held is None:
        return ""
    sides, sizes = (sum(getattr(p, kind) is False for p in held.pairs) for kind in ("side", "size"))
    true = len(held.pairs) + len(held.missed)
    right = sum(p.right for p in held.pairs)
    said = [f"{right} of {counted(true, 'finding')} right", f"{len(held.invented)} not there"]
    said += [f"{sides} on the wrong side"] if sides else []
    said += [f"{sizes} of a wrong size"] if sizes else []
    return ", ".join(said)


def lines_of(answer: Text) -> Mapping[str, str]:
    """Return each section, and after them the sentences that are marked."""
    found = dict(answer.sections)
    for k, (words, why) in enumerate(marked(answer), start=1):
        found[f"{MARKED} {k}"] = f"{words} ({why})" if why else words
    return found
