"""What a text is held against: the sections that count, and what is true, known or read."""

from __future__ import annotations

import pytest

from vesalius.core.case import Case
from vesalius.core.finding import Finding
from vesalius.texts.reference import reference_of
from vesalius.texts.terms import Terms

REPORT = (
    "INDICATION: Rule out pneumothorax.\nFINDINGS: There is a left pleural effusion.\nIMPRESSION: Effusion."
)


@pytest.fixture(scope="module")
def chest() -> Terms:
    return Terms.named("chest")


def case(report: str | None = REPORT, findings: tuple[Finding, ...] | None = None) -> Case:
    return Case("a", {}, reference=None, report=report, findings=findings)


def test_what_is_known_of_the_image_goes_before_what_the_report_says(chest: Terms) -> None:
    found = reference_of(case(findings=(Finding("nodule"),)), chest)
    assert found is not None and found.known and [f.name for f in found.findings or ()] == ["nodule"]
    nothing = reference_of(case(findings=()), chest)
    assert nothing is not None and nothing.known and nothing.findings == (), (
        "nothing is there, which is known"
    )


def test_what_is_known_is_named_as_texts_are_read(chest: Terms) -> None:
    known = (Finding("Pleural_effusion", side="left"), Finding("nodule"), Finding("four-leaf clover"))
    found = reference_of(case(findings=known), chest)
    assert found is not None
    assert [f.name for f in found.findings or ()] == ["effusion", "nodule", "four-leaf clover"]


def test_else_the_report_is_read_whatever_section_says_it(chest: Terms) -> None:
    found = reference_of(case(), chest, sections=("impression",))
    assert found is not None and not found.known and found.sections == {"impression": "Effusion."}
    assert {(f.name, f.status, f.side) for f in found.findings or ()} >= {("effusion", "present", "left")}
    assert all(f.name != "pneumothorax" for f in found.findings or ()), "what was asked is not what was found"


def test_a_report_without_headings_is_compared_as_the_first_section(chest: Terms) -> None:
    found = reference_of(case("Small effusion."), chest, sections=("findings", "impression"))
    assert found is not None and found.sections == {"findings": "Small effusion."}
    other = reference_of(case("TECHNIQUE: One view."), chest, sections=("findings",))
    assert other is not None and other.sections == {}, "it has headings, and none of those that are compared"


def test_without_report_and_knowledge_there_is_nothing_to_hold_a_text_against(chest: Terms) -> None:
    assert reference_of(case(None), chest) is None
    assert reference_of(case(" \n"), chest) is None
    bare = reference_of(case(None, (Finding("nodule"),)), chest)
    assert bare is not None and bare.sections == {} and bare.known


def test_without_terms_only_words_are_compared() -> None:
    found = reference_of(case("A mass."))
    assert found is not None and found.findings is None
