"""Sections of reports: headings as people write them, nothing dropped, other languages by a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from vesalius.core.errors import DataError, PlanError, UnknownName
from vesalius.texts.sections import ENGLISH, Headings, joined, parted, unknown_headings

REPORTS = {  # as many writers lay a report out; each says the same
    "colons": "INDICATION: Cough.\nFINDINGS: The lungs are clear.\nIMPRESSION: No acute disease.",
    "lines": "Indication\nCough.\n\nFindings\nThe lungs are clear.\n\nImpression\nNo acute disease.",
    "dashes": "Indication - Cough.\nFindings - The lungs are clear.\nConclusion – No acute disease.",
    "numbered": "1. Clinical information: Cough.\n2. Findings: The lungs are clear.\n3. Opinion: No acute disease.",
    "one line": "Reason for exam: Cough. Findings: The lungs are clear. Impression: No acute disease.",
    "capitals in a line": "INDICATION: Cough. FINDINGS: The lungs are clear. IMPRESSION: No acute disease.",
    "no colon": "INDICATION Cough.\nFINDINGS The lungs are clear.\nIMPRESSION No acute disease.",
    "markdown": "**Indication:** Cough.\n## Findings\nThe lungs are clear.\n**Impression**: No acute disease.",
    "blanks": "  REASON  FOR\tEXAM :  Cough.\r\n\r\n  FINDINGS :\r\n  The lungs are clear.\r\n"
    " CONCLUSIONS:\r\nNo acute disease.",
}


@pytest.mark.parametrize("text", REPORTS.values(), ids=REPORTS)
def test_headings_as_writers_spell_them(text: str) -> None:
    expected = {"indication": "Cough.", "findings": "The lungs are clear.", "impression": "No acute disease."}
    assert parted(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Findings consistent with pneumonia.",
        "FINDINGS CONSISTENT WITH PNEUMONIA.",
        "There are no acute\nfindings\nin the chest.",
        "In comparison: unchanged.",
        "The PRIOR IMPRESSION: pneumonia.",
        "No subfindings: none. See results on file.",
        "The overall impression is that of oedema.",
        "Compared to the previous findings: larger.",
    ],
)
def test_words_that_are_no_headings(text: str) -> None:
    assert parted(text) == {"": text}


def test_nothing_is_dropped() -> None:
    text = (
        "Chest PA\nTECHNIQUE:\nFINDINGS (two views): Clear.\nLUNGS: Clear.\nWET READ: fine\n"
        "ADDENDUM: Read again.\nFINDINGS: More."
    )
    found = parted(text)
    assert list(found) == ["", "technique", "findings", "addendum"]
    assert found[""] == "Chest PA"
    assert found["technique"] == ""
    assert found["findings"] == "(two views): Clear.\nLUNGS: Clear.\nWET READ: fine\nMore."
    kept = "".join(found.values())
    assert all(word in kept for word in ("Chest", "views", "LUNGS", "WET READ", "again", "More"))
    assert unknown_headings(text) == ("LUNGS", "WET READ")


def test_what_may_be_either_is_neither() -> None:
    text = "FINDINGS/IMPRESSION: Clear.\nFINDINGS AND IMPRESSION: Stable."
    assert parted(text) == {"findings and impression": "Clear.\nStable."}
    assert "impression" in parted("IMPRESSION AND PLAN: Follow up.")


def test_joined_is_parted_again() -> None:
    sections = {"": "Chest", "findings": "Two\nlines.", "impression": "", "comparison": "None."}
    assert parted(joined(sections)) == sections
    assert parted("") == {}
    with pytest.raises(DataError, match="no heading has the name of a section; found 'befund'"):
        joined({"befund": "x"})


GERMAN = """sections:
  technique: [Technik, Untersuchungstechnik]
  findings: [Befund, Befunde]
  impression: [Beurteilung, "Beurteilung und Empfehlung"]
  comparison: [Voraufnahme, "Vergleichende Vorbefunde"]
"""


def test_another_language_by_a_file(tmp_path: Path) -> None:
    path = tmp_path / "deutsch.yaml"
    path.write_text(GERMAN + "  indication: [Klinische Angaben, Anämie-Frage]\n", encoding="utf-8")
    text = (
        "Klinische Angaben: Husten.\nBEFUND: Herz normal groß. Kein Erguss.\n\n"
        "Beurteilung\nKein Nachweis von Stauung."
    )
    found = parted(text, Headings.read(path))
    assert found == {
        "indication": "Husten.",
        "findings": "Herz normal groß. Kein Erguss.",
        "impression": "Kein Nachweis von Stauung.",
    }
    assert parted(text, path) == parted(text, str(path)) == found
    assert parted("ANAMIE-FRAGE: ja", path) == {"indication": "ja"}  # capitals often lack their dots
    assert parted(text, ENGLISH) == {"": text}


@pytest.mark.parametrize(
    ("content", "kind", "words"),
    [
        ("sections: {findings: [Befund], impression: [befund]}", DataError, "begins two sections"),
        ("sections: {Findings: [Befund]}", DataError, "lower case"),
        ("sections: {findings: ['  ']}", DataError, "no word"),
        ("sections: {findings: Befund}", PlanError, "findings"),
        ("parts: {findings: [Befund]}", PlanError, "sections is missing"),
        ("sections: [", PlanError, "no YAML"),
    ],
)
def test_headings_that_cannot_be_used(
    tmp_path: Path, content: str, kind: type[Exception], words: str
) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(content)
    with pytest.raises(kind, match=words) as raised:
        Headings.read(path)
    assert "own.yaml" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_language_that_is_not_there() -> None:
    with pytest.raises(UnknownName, match="klingon"):
        parted("FINDINGS: x", "klingon")
