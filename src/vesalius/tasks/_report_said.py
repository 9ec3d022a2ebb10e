"""The answer of `report`: of what a model may write, the text that its findings bear out best, sentence by sentence.

Each sentence is read by rules, and held against the calibrated findings of the same model. What they do not bear out is
marked with the reason, and never turned into its opposite; with `mend=replace` the template's sentence takes its place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vesalius.core import calibration as calibrations
from vesalius.core.answers.map import Map
from vesalius.core.answers.scores import Scores
from vesalius.core.answers.text import Evidence, Text
from vesalius.core.cohort import Label
from vesalius.core.finding import Finding
from vesalius.core.image import Array, Image
from vesalius.core.sentences import all_sentences
from vesalius.prepare.geometry import Undo, backward
from vesalius.tasks._report_findings import said_of, size_of
from vesalius.tasks._report_raw import THERE, Candidate, Raw, read
from vesalius.tasks._report_state import Learned
from vesalius.tasks._report_template import about_sentence, sentence_of, template
from vesalius.tasks._report_text import filled
from vesalius.texts.agreement import contradicts

FINDINGS, TEMPLATE = "findings", "template"  # parts of the answer
ROOM = 2**25  # voxels of all maps of an answer together: 128 MiB
STEPS = 255  # in which a map is kept, so that it takes little room in a file
HALF = 0.5


@dataclass(frozen=True, eq=False)
class Head:
    """What a model found, members together: calibrated scores, the findings that they call, and where it looked.

    `looked` `(K, z, y, x)` are the regions of each finding, `sizes` the size of each in mm, called or not.
    """

    scores: Scores
    findings: tuple[Finding, ...]
    looked: Array
    sizes: Mapping[str, float]


def head_of(members: Sequence[Raw], known: Learned, calibration: Mapping[str, Any]) -> Head:
    """Return what the members found: mean probabilities, mapped and called as calibrated, and mean sides and sizes."""
    figures = np.mean([m.findings for m in members], axis=0)
    names = known.names
    p, at, called = called_of([m.findings[:, THERE] for m in members], known, calibration)
    scores = Scores(
        labels=tuple(Label(k + 1, name) for k, name in enumerate(names)),
        p=p,
        kind="multilabel",
        thresholds=at,
    )
    measured = np.max([m.measured for m in members], axis=0)
    found = said_of(figures, measured, called, known.abouts)
    sizes = {a.name: mm for k, a in enumerate(known.abouts) if (mm := measured[k] or size_of(figures[k], a))}
    return Head(scores, found, np.mean([m.looked for m in members], axis=0), sizes)


def called_of(
    logits: Sequence[Array], known: Learned, calibration: Mapping[str, Any]
) -> tuple[Array, dict[str, float], list[bool]]:
    """Return of each finding its probability, the threshold that it is called from, and whether it is called.

    `logits` `(K,)` are those of each member.
    """
    names, at = known.names, calibration.get("thresholds", {})
    limits = {name: float(at.get(name, HALF)) for name in names}
    if not names:
        return np.zeros(0), limits, []
    p = calibrations.answered(calibration, np.stack(logits), labels=names, multilabel=True)
    return np.asarray(p, np.float64), limits, [bool(p[k] >= limits[name]) for k, name in enumerate(names)]


@dataclass(frozen=True, eq=False)
class Draft:
    """A text with what each sentence stands on, before it is an answer.

    `looked` `(z, y, x)` of each sentence, None of one of which nothing is known.
    """

    sections: Mapping[str, str]
    evidence: tuple[Evidence, ...]
    looked: tuple[Array | None, ...]
    mean: float = 0.0

    @property
    def doubted(self) -> int:
        """Return how many sentences are not borne out."""
        return sum(e.supported is False for e in self.evidence)


def drafted(candidate: Candidate, head: Head, known: Learned) -> Draft:
    """Return what a candidate says, its sizes filled in, each sentence held against what was found."""
    sections, empty = filled(known.words.text(candidate.tokens), known.read, head.sizes)
    evidence = evidence_of(sections, head.findings, known, empty)
    looked = [candidate.looked[k] if k < len(candidate.looked) else None for k in range(len(evidence))]
    return Draft(sections, evidence, tuple(looked), candidate.mean)


def evidence_of(
    sections: Mapping[str, str],
    findings: Sequence[Finding],
    known: Learned,
    empty: Sequence[int] | set[int] = (),
) -> tuple[Evidence, ...]:
    """Return of every sentence what it says, whether findings bear it out, and what speaks against it.

    Of a sentence that speaks of no learned finding nothing is known. `empty` are those that state a size of nothing.
    """
    said: dict[int, list[Finding]] = {}
    for one in known.read(sections):
        said.setdefault(one.sentence or 0, []).append(one)
    made = []
    names = set(known.names)
    for k, (section, place, _) in enumerate(all_sentences(sections)):
        own = tuple(said.get(k, ()))
        against = [why for f in own if f.name in names and (why := contradicts(f, findings))]
        against += ["it states a size, and none was measured"] if k in empty else []
        judged = any(f.name in names for f in own) or k in empty
        supported = None if not judged else not against
        made.append(Evidence(section, place, own, supported, "; ".join(dict.fromkeys(against))))
    return tuple(made)


def templated(head: Head, known: Learned) -> Draft:
    """Return the template of what was found; each of its sentences looked where its finding was looked for."""
    sections = template(head.findings, known.words.sections, known.spoken)
    about = about_sentence(head.findings, known.words.sections)
    place = {name: k for k, name in enumerate(known.names)}
    looked = [None if f is None else head.looked[place[f.name]] for f in about]
    own = [((), None) if f is None else ((f,), True) for f in about]
    evidence = [
        Evidence(section, k, tuple(replace(f, sentence=n) for f in found), supported)
        for n, ((section, k, _), (found, supported)) in enumerate(
            zip(all_sentences(sections), own, strict=True)
        )
    ]
    return Draft(sections, tuple(evidence), tuple(looked))


def chosen(drafts: Sequence[Draft]) -> Draft:
    """Return the draft with the fewest sentences that are not borne out; of several the likeliest, then the first."""
    return min(drafts, key=lambda d: (d.doubted, -d.mean))


def mended(draft: Draft, head: Head, known: Learned) -> Draft:
    """Return a draft with a sentence of the template for each finding of a sentence that is not borne out.

    What was found and is said nowhere is added at the end of the first section. A finding is said once.
    """
    place = {name: k for k, name in enumerate(known.names)}
    found = {f.name: f for f in head.findings}
    right = {f.name for e in draft.evidence if e.supported is not False for f in e.findings}
    texts: dict[str, list[tuple[str, Array | None]]] = {name: [] for name in draft.sections}
    written = set(right)

    def say(section: str, name: str) -> None:
        written.add(name)
        texts.setdefault(section, []).append(
            (sentence_of(found[name], known.spoken), head.looked[place[name]])
        )

    each = zip(all_sentences(draft.sections), draft.evidence, draft.looked, strict=True)
    for (section, _, sentence), evidence, looked in each:
        if evidence.supported is not False:
            texts[section].append((sentence, looked))
            continue
        for f in evidence.findings:
            if f.name in found and f.name not in written:
                say(section, f.name)
    first = next(iter(texts), known.words.sections[0])
    for f in head.findings:
        if f.status == "present" and f.name not in written:
            say(first, f.name)
    sections = {n: " ".join(s for s, _ in held) for n, held in texts.items() if held}
    kept = tuple(looked for held in texts.values() for _, looked in held)
    again = evidence_of(sections, head.findings, known)
    return Draft(sections, again, kept, draft.mean)


def answer_of(
    raw: Array,
    known: Learned,
    calibration: Mapping[str, Any],
    reference: Image,
    *,
    decode: str,
    mend: str,
    undo: Undo | None,
) -> Text:
    """Return the answer that the members' rows `(M, R)` say together."""
    members = [read(row) for row in np.atleast_2d(raw)]
    head = head_of(members, known, calibration)
    plain = templated(head, known)
    draft = plain
    if (decode or calibration.get("written", "")) != TEMPLATE:
        draft = chosen([drafted(c, head, known) for m in members for c in m.candidates])
        if mend == "replace" and known.names:
            draft = mended(draft, head, known)
    parts: dict[str, Any] = {TEMPLATE: Text(sections=plain.sections, evidence=plain.evidence)}
    if known.names:
        parts[FINDINGS] = head.scores
    evidence, maps = mapped(draft, reference, undo)
    return Text(sections=draft.sections, evidence=evidence, parts={**parts, **maps})


def mapped(draft: Draft, reference: Image, undo: Undo | None) -> tuple[tuple[Evidence, ...], dict[str, Map]]:
    """Return the evidence with the name of a map for each sentence, and the maps on the reference's grid.

    Where not all maps have room, those of sentences that say that something is there come first.
    """
    if undo is None:
        return draft.evidence, {}
    room = max(1, ROOM // max(1, int(np.prod(reference.shape))))
    order = sorted(range(len(draft.evidence)), key=lambda k: (not _present(draft.evidence[k]), k))
    known = [k for k in order if (at := draft.looked[k]) is not None and at.any()]
    kept = frozenset(known[:room])
    maps, evidence = {}, []
    for k, one in enumerate(draft.evidence):
        looked = draft.looked[k]
        if k in kept and looked is not None:
            name = f"look {k}"
            maps[name] = map_of(looked, reference, undo)
            one = replace(one, part=name)
        evidence.append(one)
    return tuple(evidence), maps


def _present(evidence: Evidence) -> bool:
    return any(f.status == "present" for f in evidence.findings)


def map_of(looked: Array, reference: Image, undo: Undo) -> Map:
    """Return where a sentence looked, `(z, y, x)` of regions, on the reference's grid, as shares of the highest.

    Each region is a block of the prepared grid; values are rounded to 255 steps.
    """
    field = np.asarray(looked, np.float64) / max(float(looked.max()), 1e-12)
    for axis, (n, many) in enumerate(zip(field.shape, undo.shape, strict=True)):
        field = field.take(np.minimum((np.arange(many) * n) // many, n - 1), axis=axis)
    native = backward(field[None].astype(np.float32), undo)[0]
    kept = (np.rint(np.clip(native, 0.0, 1.0) * STEPS) / STEPS).astype(np.float32)
    image = Image(
        kept[None],
        affine=reference.affine,
        spacing_mm=reference.spacing_mm,
        spacing_at=reference.spacing_at,
        source=reference.source,
    )
    return Map(
        image=image, quantity="where the model looked", facts={"regions": "×".join(map(str, looked.shape))}
    )
