"""Tests of the writers of reports: what sentences say, planted sides, doubts, sizes, and the template of the truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from vesalius.core.finding import Change, Finding, Side
from vesalius.core.sentences import all_sentences, sentences
from vesalius.phantom.reports.content import Content, Sort, Written
from vesalius.phantom.reports.style import STYLES
from vesalius.phantom.reports.template import template
from vesalius.phantom.reports.words import WORDS
from vesalius.phantom.reports.writing import write
from vesalius.texts.reading import findings_in
from vesalius.texts.sections import parted
from vesalius.texts.terms import Terms

LUNG = ("upper lobe", "mid lung", "lower lobe")
SIDES: tuple[Side, ...] = ("left", "right")
WHERE: dict[str, tuple[str, ...]] = {  # of chest and ct: the places that a finding can have
    "nodule": LUNG, "consolidation": LUNG, "atelectasis": LUNG, "mass": ("liver",), "cyst": ("liver", "kidney"),
    "stone": ("kidney",), "calcification": ("aorta",), "lymph node": ("retroperitoneum",), "steatosis": ("liver",),
}  # fmt: skip
SIDED = (
    "nodule",
    "consolidation",
    "atelectasis",
    "effusion",
    "pneumothorax",
    "tube",
    "mass",
    "cyst",
    "stone",
)
SIZED = {"nodule": (16, 45), "mass": (20, 70), "cyst": (14, 50), "stone": (6, 14), "lymph node": (12, 30)}


def content(sort: Sort, random: np.random.Generator, *, earlier: bool = False) -> Content:
    """Return what a report could be made from, drawn without an image."""
    found = [_finding(name, random, earlier) for name in WORDS[sort] if random.random() < 0.4]
    absent = [n for n in WORDS[sort] if n not in {f.name for f in found}]
    gone = tuple(
        Finding(n, side="left" if n in SIDED else None) for n in absent[:1] if earlier and n != "tube"
    )
    about = {"indication": "54-year-old man, cough.", "technique": "One view.", "comparison": "None."}
    return Content(
        sort=sort, findings=tuple(found), degrees=tuple(int(d) for d in random.integers(1, 4, len(found))), gone=gone,
        about=about, earlier=earlier,
    )  # fmt: skip


def _finding(name: str, random: np.random.Generator, earlier: bool) -> Finding:
    places = WHERE.get(name, ("",))
    low, high = SIZED.get(name, (0, 0))
    changes = [c for c in get_args(Change) if c != "gone"]
    return Finding(
        name,
        side=SIDES[int(random.integers(2))] if name in SIDED else None,
        place=places[int(random.integers(len(places)))],
        size_mm=round(float(random.uniform(low, high)), 1) if high else None,
        count=int(random.integers(2, 4)) if name == "mass" and random.random() < 0.3 else None,
        change=changes[int(random.integers(len(changes)))] if earlier and random.random() < 0.7 else None,
    )


def reports(
    sort: Sort, style: int, many: int, *, earlier: bool = False, wrong: float = 0.0
) -> list[tuple[Content, Written]]:
    random = np.random.default_rng(style)
    made = [content(sort, random, earlier=earlier) for _ in range(many)]
    return [(one, write(one, style, random, wrong_sides=wrong)) for one in made]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("sort", ["chest", "ct"])
def test_rules_read_in_the_text_what_its_writer_said(sort: Sort, style: int) -> None:
    """The rules of `texts/` know nothing of the writers: name, status, side and sentence, micro F1."""
    terms, hits, misses = Terms.named(sort), 0, 0
    agreed: list[bool] = []  # on the place, the size and the change of what both say
    for _, written in reports(sort, style, 30) + reports(sort, style, 30, earlier=True):
        said = Counter((f.name, f.status, f.side, f.sentence) for f in written.said)
        read = [f for f in findings_in(parted(written.text), terms) if f.name in WORDS[sort]]
        found = Counter((f.name, f.status, f.side, f.sentence) for f in read)
        hits += 2 * (said & found).total()
        misses += (said - found).total() + (found - said).total()
        by = {(f.name, f.status, f.side, f.sentence): f for f in read}
        for f in written.said:
            other = by.get((f.name, f.status, f.side, f.sentence))
            if other is not None:
                agreed.append((f.place, f.size_mm, f.change) == (other.place, other.size_mm, other.change))
    assert hits / (hits + misses) >= 0.97
    assert np.mean(agreed) >= 0.97


@pytest.mark.parametrize("style", STYLES)
def test_a_sentence_is_counted_as_everyone_counts_it(style: int) -> None:
    for sort in ("chest", "ct"):
        for one, written in reports(sort, style, 12, earlier=True):  # type: ignore[arg-type]
            parts = parted(written.text)
            assert parts == written.sections and set(parts) <= {"findings", "impression", *one.about}
            lines = [s for _, _, s in all_sentences(written.sections)]
            assert all(f.sentence is not None and f.sentence < len(lines) for f in written.said)
            for k, place in written.sentence_of.items():
                nouns = WORDS[one.sort][one.findings[k].name]
                line = lines[place].lower().replace("oedema", "edema")
                assert any(noun in line for noun in (*nouns.nouns, *nouns.plurals)), (line, one.findings[k])
            assert set(written.sentence_of) == set(range(len(one.findings)))


def test_writers_differ_in_what_they_deny_and_in_their_words() -> None:
    random = np.random.default_rng(0)
    empty = Content(sort="chest", findings=(), degrees=())
    denied = {k: frozenset(f.name for f in write(empty, k, random).said) for k in STYLES}
    assert len(set(denied.values())) >= 7 and all(denied.values())
    one = Content(
        sort="chest",
        findings=(Finding("edema"), Finding("nodule", side="left", size_mm=30.0)),
        degrees=(3, 3),
    )
    texts = {k: write(one, k, np.random.default_rng(1)).sections["findings"] for k in STYLES}
    assert len(set(texts.values())) == len(STYLES)
    assert "oedema" in texts[5] and "oedema" not in texts[1]
    assert "three centimetre" in texts[5] and "3.0 cm" in texts[3] and "30 mm" in texts[1]
    assert texts[3].startswith("- ") and len(sentences(texts[3])) == texts[3].count("- ")


def test_sides_are_exchanged_at_the_rate_that_is_asked_for_and_named() -> None:
    sided = planted = 0
    for style in STYLES:
        for one, written in reports("chest", style, 60, wrong=0.1):
            sided += sum(f.side in SIDES for f in one.findings)
            planted += len(written.planted)
            for k, finding in enumerate(one.findings):
                said = next(
                    f for f in written.said if f.sentence == written.sentence_of[k] and f.name == finding.name
                )
                assert (said.side != finding.side) == (k in written.planted)
    assert sided > 700 and abs(planted / sided - 0.1) < 3 * (0.1 * 0.9 / sided) ** 0.5
    assert not any(written.planted for _, written in reports("ct", 1, 20))


def test_what_is_subtle_is_doubted_at_the_writers_rate_and_nothing_else() -> None:
    for style in (1, 6):
        doubts: dict[int, list[bool]] = {1: [], 2: [], 3: []}
        for one, written in reports("chest", style, 150):
            for k, degree in enumerate(one.degrees):
                said = next(f for f in written.said if f.sentence == written.sentence_of[k])
                doubts[degree].append(said.status == "uncertain")
        rate, many = STYLES[style].hedges, len(doubts[1])
        assert abs(np.mean(doubts[1]) - rate) < 3 * (rate * (1 - rate) / many) ** 0.5
        assert not any(doubts[2]) and not any(doubts[3])


@pytest.mark.parametrize("style", STYLES)
def test_a_size_is_rounded_as_the_writer_rounds_and_never_beyond_a_tenth(style: int) -> None:
    for one, written in reports("ct", style, 40):
        for said in written.said:
            if said.size_mm is not None:
                true = next(
                    f for f in one.findings if (f.name, f.side, f.place) == (said.name, said.side, said.place)
                )
                assert true.size_mm is not None and abs(said.size_mm - true.size_mm) <= max(
                    0.1 * true.size_mm, 1.01
                )


def test_a_size_without_a_spacing_is_said_in_pixels() -> None:
    extent = "about 80 by 50 pixels"
    one = Content(
        sort="breast", findings=(Finding("mass"), Finding("benign")), degrees=(2, 2), extents={0: extent}
    )
    for style in STYLES:
        written = write(one, style, np.random.default_rng(0))
        first = all_sentences(written.sections)[written.sentence_of[0]][2]
        assert extent in first and all(f.size_mm is None for f in written.said)
        read = findings_in(parted(written.text), Terms.named("breast"))
        key = Counter((f.name, f.status, f.sentence) for f in written.said)
        assert Counter((f.name, f.status, f.sentence) for f in read) == key and not any(
            f.size_mm for f in read
        )


def test_the_impression_says_nothing_that_the_findings_do_not() -> None:
    for style in STYLES:
        for _, written in reports("chest", style, 20):
            start = len(all_sentences({k: v for k, v in written.sections.items() if k != "impression"}))
            above = {
                (f.name, f.side, f.status)
                for f in written.said
                if f.sentence is not None and f.sentence < start
            }
            below = {
                (f.name, f.side, f.status)
                for f in written.said
                if f.sentence is not None and f.sentence >= start
            }
            assert below <= above


@pytest.mark.parametrize("sort", ["chest", "ct"])
def test_the_template_says_all_that_it_is_given_and_nothing_else(sort: Sort) -> None:
    """Read back by the rules, which know nothing of it."""
    random, terms = np.random.default_rng(4), Terms.named(sort)
    for _ in range(25):
        one = content(sort, random)
        absent = [Finding(n, "absent") for n in WORDS[sort] if n not in {f.name for f in one.findings}]
        doubted = [replace(f, status="uncertain", size_mm=None, count=None) for f in one.findings[:1]]
        given = [*doubted, *one.findings[1:], *absent]
        read = findings_in({"": template(given, sort=sort)["findings"]}, terms)
        key: Callable[[Finding], tuple[object, ...]] = lambda f: (f.name, f.status, f.side)  # noqa: E731
        assert Counter(map(key, read)) == Counter(map(key, given))
        sizes = {f.name: f.size_mm for f in read if f.size_mm is not None}
        assert all(abs(sizes[f.name] - f.size_mm) <= 0.5 for f in given if f.size_mm and f.name != "cyst")
    assert template([])["impression"] and not template([])["findings"]
