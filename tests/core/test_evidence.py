"""What a sentence stands on: kept as it is through JSON, shown where it is not borne out, counted as it is parted."""

from __future__ import annotations

import json
from dataclasses import replace

from vesalius.core.answers.text import Evidence, Text
from vesalius.core.encoding import as_text, from_text
from vesalius.core.finding import Finding
from vesalius.core.sentences import all_sentences, sentences
from vesalius.core.stated import Statement, distinct


def test_evidence_goes_through_json_and_a_plain_text_is_written_as_before() -> None:
    said = Finding("nodule", "present", side="left", size_mm=8.5, sentence=1)
    text = Text(
        case_id="a",
        sections={"findings": "No fluid. A nodule."},
        evidence=(Evidence("findings", 1, (said,), False, "the findings head sees none", "where 1"),),
    )
    back = from_text(as_text(text))
    assert back.evidence == text.evidence and back.sections == dict(text.sections)
    assert "not borne out: 1 of 1" in repr(back)
    plain = json.loads(as_text(Text(sections={"findings": "No fluid."})))
    assert "evidence" not in plain
    assert "size_mm" not in as_text(Text(sections={}, evidence=(Evidence("findings", 0, (Finding("x"),)),)))


def test_sentences_are_parted_at_ends_and_lines_not_within_numbers() -> None:
    assert sentences("Nodule of 3.5 mm.  Stable!\nNo effusion") == (
        "Nodule of 3.5 mm.",
        "Stable!",
        "No effusion",
    )
    assert sentences(" \n ") == ()
    assert all_sentences({"a": "One. Two.", "b": "Three."}) == (
        ("a", 0, "One."),
        ("a", 1, "Two."),
        ("b", 0, "Three."),
    )


def test_a_finding_is_said_in_words() -> None:
    assert (
        str(Finding("nodule", side="left", size_mm=8, place="upper lobe"))
        == "left nodule of 8 mm in upper lobe"
    )
    assert str(Finding("effusion", "absent")) == "effusion: absent"


def test_statements_of_one_finding_are_one_with_its_side_and_its_chance() -> None:
    said = Statement(Finding("nodule", side="right", size_mm=8.0, sentence=2), "'A right nodule.'")
    scored = Statement(Finding("nodule"), "probability .9", p=0.9)
    other = Statement(Finding("effusion", "absent"), p=0.1)
    (nodule, effusion) = distinct([said, scored, said, other])
    assert (nodule.finding.side, nodule.finding.size_mm, nodule.p) == ("right", 8.0, 0.9)
    assert (
        effusion.finding.status == "absent"
        and len(distinct([said, replace(said, finding=Finding("nodule", side="left"))])) == 2
    )
