"""The table of findings: written and read alike, and refused with its row where it cannot be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from vesalius.core.delimited import delimited
from vesalius.core.errors import VesaliusError
from vesalius.core.finding import Finding
from vesalius.texts.findings_table import parsed, written

HEAD = "case,finding,status,side,place,size_mm,count,change,sentence\n"


def test_written_and_read_alike(tmp_path: Path) -> None:
    nodule = Finding(
        "nodule", side="right", place="upper lobe", size_mm=6.25, count=2, change="larger", sentence=3
    )
    held = {
        "a": (nodule, Finding("effusion", "absent", code="RADLEX:RID34539")),
        "b, the second": (),
        "unknown": None,
        "c": (Finding("edema", "uncertain"), Finding("edema", "past")),
    }
    path = tmp_path / "findings.csv"
    path.write_text(written(held))
    assert parsed(delimited(path)[0]) == {k: v for k, v in held.items() if v is not None}


def test_what_is_not_given_is_not_known() -> None:
    assert parsed({"Case": ["a"], "finding": ["nodule"]}) == {"a": (Finding("nodule"),)}


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("a,nodule,maybe,,,,,,", "row 2: unknown status; found 'maybe'; try: one of present, absent"),
        ("a,nodule,,Left side,,,,,", "row 2: unknown side"),
        ("a,nodule,,,,,,bigger,", "row 2: unknown change"),
        ("a,nodule,,,,-3,,,", "row 2: size_mm is a length in mm, above 0; found '-3'"),
        ("a,nodule,,,,0,,,", "size_mm"),
        ("a,nodule,,,,nan,,,", "size_mm"),
        ("a,nodule,,,,inf,,,", "size_mm"),
        ("a,nodule,,,,6 mm,,,", "size_mm"),
        ("a,nodule,,,,,1.5,,", "row 2: count is a whole number"),
        ("a,nodule,,,,,,,-1", "row 2: sentence is a whole number from 0 on"),
        (",nodule,,,,,,,", "row 2: no case is named"),
        ("a,,present,,,,,,", "row 2: no finding is named"),
        ("a,nodule,,,,,,,\na,nodule,present,,,,,,", "row 3: the same finding twice"),
        ("a,nodule,,,,,,,\na,,,,,,,,", "row 3: this row says that nothing is in 'a'"),
    ],
)
def test_rows_that_cannot_be_right(tmp_path: Path, rows: str, words: str) -> None:
    path = tmp_path / "findings.csv"
    path.write_text(HEAD + rows + "\n")
    with pytest.raises(VesaliusError) as raised:
        parsed(delimited(path)[0])
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


def test_columns_that_are_lacking_or_unknown() -> None:
    with pytest.raises(VesaliusError, match="no column 'finding'"):
        parsed({"case": ["a"], "status": ["present"]})
    with pytest.raises(VesaliusError, match="unknown column of findings.csv: 'sizemm'.*size_mm"):
        parsed({"case": ["a"], "finding": ["nodule"], "sizemm": ["3"]})
