"""Asking a language model beside an answer: its words are shown apart, each sentence held against the findings.

Source of the marking: the rules of `texts/` read each sentence, and `texts/agreement.py` says what contradicts it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from vesalius.adjunct.leaving import as_json
from vesalius.adjunct.server import ChatServer
from vesalius.core.answers.text import Evidence
from vesalius.core.finding import Finding
from vesalius.core.sentences import sentences
from vesalius.core.stated import Statement, distinct
from vesalius.texts.agreement import contradicts
from vesalius.texts.merging import merged
from vesalius.texts.reading import MOST, findings_in
from vesalius.texts.terms import Terms

SECTION = "adjunct"  # what its words are headed by
NOTICE = "Words of a language model: no result of the model that answered, and for nobody to act on unread."
_TOLD = (
    "You assist a radiologist. A validated model found what is listed as JSON; it saw the image, you do not. "
    "Write at most five plain sentences that recommend what to do next, for these findings alone. "
    "Name no finding that is not listed, change no side and no size, and say so where the findings do not suffice."
)


@dataclass(frozen=True, slots=True)
class Adjunct:
    """What a language model wrote beside an answer.

    `evidence` says of each sentence which findings it names and what contradicts them. `sent` is all that left about
    the case, word for word. `server` is the host that was asked, `model` the name that was asked for there.
    """

    text: str
    evidence: tuple[Evidence, ...]
    sent: str
    server: str
    model: str
    seconds: float

    @property
    def contradicted(self) -> tuple[str, ...]:
        """Why sentences are not borne out, a line each."""
        return tuple(e.why for e in self.evidence if e.supported is False)

    def json(self) -> dict[str, Any]:
        """Return it as JSON takes it, with each sentence and what speaks against it."""
        marks = {e.sentence: e for e in self.evidence}
        said = [
            {
                "text": text,
                "supported": marks[k].supported if k in marks else None,
                "why": marks[k].why if k in marks else "",
            }
            for k, text in enumerate(sentences(self.text))
        ]
        return {
            "notice": NOTICE,
            "text": self.text,
            "sentences": said,
            "sent": self.sent,
            "server": self.server,
            "model": self.model,
            "seconds": round(self.seconds, 3),
        }


def messages(statements: Sequence[Statement]) -> list[dict[str, str]]:
    """Return what is sent: the same task each time, and the findings. Raises UnsafeError for a word that may name."""
    return [
        {"role": "system", "content": _TOLD},
        {"role": "user", "content": f"Findings: {as_json(statements)}"},
    ]


def beside(statements: Sequence[Statement], server: ChatServer, *, terms: Terms | None = None) -> Adjunct:
    """Return what a language model writes about findings, with what in it contradicts them.

    `terms` are by which its sentences are read, by default all that come with Vesalius. Raises DataError where the
    server does not answer as it should, UnsafeError for a label that must not leave.
    """
    statements = distinct(statements)
    asked = messages(statements)
    began = time.monotonic()
    text = server.reply(asked)
    took = time.monotonic() - began
    held = [s.finding for s in statements if not s.doubted]
    doubted = [s.finding for s in statements if s.doubted]
    marked = marks_of(text, held, doubted=doubted, terms=terms)
    return Adjunct(text, marked, asked[1]["content"], server.host, server.model, took)


def marks_of(
    text: str, truth: Sequence[Finding], *, doubted: Sequence[Finding] = (), terms: Terms | None = None
) -> tuple[Evidence, ...]:
    """Return which findings each sentence of a text names, and what among `truth` contradicts them.

    `doubted` are findings that were sent as uncertain: they bear out what is said to be uncertain, and nothing else.
    A sentence that names none has no entry, but for one too long to be read to its end. A finding that neither speaks
    of at all is not borne out, whatever is said of it.
    """
    unsure = [*truth, *(replace(f, status="uncertain") for f in doubted)]
    words = merged(sorted({f.name for f in unsure}), terms)
    found = []
    for place, sentence in enumerate(sentences(text)):
        said = findings_in(sentence, words)
        unread = len(sentence) > MOST
        if not said and not unread:
            continue
        against = [_against(f, truth, unsure) for f in said]
        against += [f"it is longer than {MOST} letters, and its end was not read"] if unread else []
        why = "; ".join(dict.fromkeys(w for w in against if w))
        found.append(Evidence(SECTION, place, said, not why, why))
    return tuple(found)


def _against(said: Finding, truth: Sequence[Finding], unsure: Sequence[Finding]) -> str:
    """Return why what is said of a finding is not borne out; `unsure` are the truth and what is in doubt."""
    if not any(f.name == said.name for f in unsure):
        return f"{said.name} was not looked for"
    if said.status == "uncertain":
        return contradicts(said, unsure)
    if said.status != "past" and not any(f.name == said.name for f in truth):
        return f"{said.name} is in doubt"
    return contradicts(said, truth)
