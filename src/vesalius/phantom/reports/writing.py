"""Writing: a report of one study by one writer, with what each of its sentences says; wrong sides planted if asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vesalius.core.finding import Finding
from vesalius.phantom.reports import phrases
from vesalius.phantom.reports.content import OTHER, Content, Written
from vesalius.phantom.reports.phrases import Pen
from vesalius.phantom.reports.style import STYLES
from vesalius.phantom.reports.words import NORMAL, STRUCTURES, WORDS

Said = tuple[
    str, tuple[tuple[Finding, int | None], ...]
]  # a sentence, and what it says with its place in the content
IN_IMPRESSION = 4  # findings, at most; what matters least is left out


def write(content: Content, style: int, random: np.random.Generator, *, wrong_sides: float = 0.0) -> Written:
    """Return the report that writer number `style` makes of a content.

    Each finding with a side has it exchanged in a share `wrong_sides`, in every sentence that names it. Truth and text
    then differ, and `planted` says where.
    """
    pen = Pen(content, STYLES[style], random)
    sided = [k for k, f in enumerate(content.findings) if f.side in OTHER]
    drawn = random.random(len(content.findings))
    planted = tuple(k for k in sided if drawn[k] < wrong_sides)
    told = tuple(
        replace(f, side=OTHER[f.side]) if k in planted and f.side is not None else f
        for k, f in enumerate(content.findings)
    )
    hedged = random.random(len(told))
    doubts = tuple(
        d == 1 and f.change is None and bool(h < pen.style.hedges)
        for f, d, h in zip(told, content.degrees, hedged, strict=True)
    )
    parts: dict[str, list[Said]] = {}
    for name, text in content.about.items():
        if name in pen.style.headings:
            parts[name] = [(pen.spelled(text), ())]
    parts["findings"] = _findings(pen, told, doubts)
    parts["impression"] = _impression(pen, told, doubts)
    return _assembled(pen, style, parts, planted)


def _findings(pen: Pen, told: tuple[Finding, ...], doubts: tuple[bool, ...]) -> list[Said]:
    """Return the sentences of the section of findings."""
    content, style = pen.content, pen.style
    lines: list[Said] = []
    for k, (one, degree) in enumerate(zip(told, content.degrees, strict=True)):
        if doubts[k]:
            sentence, said = phrases.doubted(pen, one, degree)
        else:
            sentence, said = phrases.affirmed(pen, one, degree, content.extents.get(k, ""))
        lines.append((sentence, ((said, k),)))
    for gone in content.gone:
        sentence, said = phrases.went(pen, gone)
        lines.append((sentence, ((said, None),)))
    denied = _denied(pen)
    normal: list[Said] = [
        (pen.spelled(s), ()) for k, s in enumerate(STRUCTURES[content.sort]) if k in style.structures
    ]
    both = [*lines, *denied, *normal] if style.positive_first else [*normal, *denied, *lines]
    if not both:
        both = [
            (f"No {phrases.noun_of(pen, name)}.", ((Finding(name, "absent"), None),))
            for name in _absent(pen)[:1]
        ]
    return [(style.bullet + sentence, said) for sentence, said in both]


def _absent(pen: Pen) -> list[str]:
    """Return the names that are absent, now and before."""
    there = {f.name for f in (*pen.content.findings, *pen.content.gone)}
    return [name for name in WORDS[pen.content.sort] if name not in there]


def _denied(pen: Pen) -> list[Said]:
    """Return the sentences about what is absent, of those names that this writer mentions."""
    names = list(WORDS[pen.content.sort])
    mentioned = [names[k] for k in pen.style.denies if k < len(names)]
    absent = [name for name in _absent(pen) if name in mentioned and pen.word(name).deniable]
    lines: list[Said] = []
    if pen.style.denial == "normal":
        for name in [n for n in absent if pen.word(n).normal]:
            lines.append((pen.spelled(pen.word(name).normal), ((Finding(name, "absent"), None),)))
            absent.remove(name)
    if not absent:
        return lines
    if pen.style.denial == "each":
        return lines + [_denial(pen, [name]) for name in absent]
    return [*lines, _denial(pen, absent)]


def _denial(pen: Pen, names: list[str]) -> Said:
    """Return one sentence that says of all names that they are not there."""
    nouns = [pen.word(name).denied or phrases.noun_of(pen, name) for name in names]
    listed = nouns[0] if len(nouns) == 1 else f"{', '.join(nouns[:-1])} or {nouns[-1]}"
    start = {"terse": "No", "narrative": "There is no evidence of"}.get(pen.style.form, "There is no")
    return pen.spelled(f"{start} {listed}."), tuple((Finding(name, "absent"), None) for name in names)


def _impression(pen: Pen, told: tuple[Finding, ...], doubts: tuple[bool, ...]) -> list[Said]:
    """Return the summary: what is there, the most marked first, without sizes."""
    order = sorted(range(len(told)), key=lambda k: (doubts[k], -pen.content.degrees[k], k))[:IN_IMPRESSION]
    if not order:
        normal = NORMAL[pen.content.sort]
        return [(normal[int(pen.random.integers(len(normal)))], ())]
    texts, said, placed = [], [], pen.content.sort == "ct"  # a side alone does not say which organ it is of
    for k in order:
        one = replace(told[k], size_mm=None, change=None, sentence=None)
        one = one if placed and phrases.where_of(pen, one) else replace(one, place="")
        text = phrases.bare(pen, one, None, place=placed)
        text = f"{phrases.COUNTS[one.count]} {text}" if one.count and one.count > 1 else text
        texts.append(f"possible {text}" if doubts[k] else text)
        said.append((replace(one, status="uncertain") if doubts[k] else one, k))
    if pen.style.joined:
        sure = [t for t, k in zip(texts, order, strict=True) if not doubts[k]]
        rest = [(t, s) for t, s, k in zip(texts, said, order, strict=True) if doubts[k]]
        lines: list[Said] = []
        if sure:
            listed = sure[0] if len(sure) == 1 else f"{', '.join(sure[:-1])} and {sure[-1]}"
            lines.append((pen.spelled(phrases.capital(listed) + "."), tuple(said[: len(sure)])))
        return lines + [(pen.spelled(phrases.capital(t) + "."), (s,)) for t, s in rest]
    return [(pen.spelled(phrases.capital(t) + "."), (s,)) for t, s in zip(texts, said, strict=True)]


def _assembled(pen: Pen, style: int, parts: dict[str, list[Said]], planted: tuple[int, ...]) -> Written:
    """Return the report with its sentences counted over all its sections."""
    said: list[Finding] = []
    first: dict[int, int] = {}
    count = 0
    for lines in parts.values():
        for _, findings in lines:
            for finding, place in findings:
                said.append(replace(finding, sentence=count))
                if place is not None:
                    first.setdefault(place, count)
            count += 1
    between = "\n" if pen.style.bullet else " "
    sections = {
        name: (("\n" if name == "findings" else " ") if pen.style.bullet else " ").join(s for s, _ in lines)
        for name, lines in parts.items()
    }
    text = "\n".join(
        f"{pen.style.headings[name]}:{between if name == 'findings' else ' '}{body}"
        for name, body in sections.items()
    )
    return Written(
        style=style, text=text, sections=sections, said=tuple(said), sentence_of=first, planted=planted
    )
