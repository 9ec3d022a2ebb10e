"""Plain text of reports: what programs left in it goes, what a person wrote stays, and what is no text is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from vesalius.core.errors import FormatError
from vesalius.texts.plain import blanks, cleaned, content_key, is_empty, is_prose, read_text, words_in


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("Size &lt; 5 mm &amp; stable", "Size < 5 mm & stable"),
        ("Size &amp;lt; 5 mm", "Size < 5 mm"),
        ("Clear.<br/>No effusion.<P>Heart <b>normal</b>.", "Clear.\nNo effusion.\nHeart normal."),
        ("nodule <5 mm, <XXXX> and <Heart", "nodule <5 mm, <XXXX> and <Heart"),
        ("\ufeffFINDINGS:\r\nClear.\r\r\n\n\nNormal\x00.\x07", "FINDINGS:\nClear.\n\nNormal."),
        ("a\xa0b\u200bc e\u0301", "a bc é"),
    ],
)
def test_marks_of_programs_go(raw: str, expected: str) -> None:
    assert cleaned(raw) == expected
    assert cleaned(expected) == expected


def test_encodings_of_files(tmp_path: Path) -> None:
    text = "Befund: Größe unverändert, 5 µm."
    for k, data in enumerate(
        [
            text.encode(),
            text.encode("utf-8-sig"),
            text.encode("utf-16"),
            text.encode("utf-16-le"),
            text.encode("utf-16-be"),
            text.encode("cp1252"),
        ]
    ):
        path = tmp_path / f"{k}.txt"
        path.write_bytes(data)
        assert read_text(path) == text


@pytest.mark.parametrize("data", [b"%PDF-1.4 x", b"{\\rtf1 text}", b"PK\x03\x04abc", bytes(range(1, 32)) * 4])
def test_what_is_no_text_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.txt").write_bytes(data)
    with pytest.raises(FormatError, match="is no plain text"):
        read_text(tmp_path / "a.txt")


def test_prose_and_numbers() -> None:
    assert is_prose("No acute disease.")
    assert not is_prose("0 0.5 0.25 0.1 0.1")  # a box of YOLO
    assert not is_prose("images/a_1.png")
    assert not is_prose("")
    assert is_prose("双肺清晰。未见积液。")


def test_what_a_report_says() -> None:
    one = "INDICATION: Cough.\nFINDINGS: The lungs are clear.\nIMPRESSION: Normal."
    other = "INDICATION: Pain.\nFINDINGS:  the Lungs are clear\nIMPRESSION: normal!"
    assert content_key(one) == content_key(other) == "the lungs are clear normal"
    assert content_key("Lungs clear.") != content_key("Lungs not clear.")
    assert content_key("FINDINGS:\nIMPRESSION:") == "" == content_key("FINDINGS: -")
    assert is_empty("FINDINGS:\nIMPRESSION: XXXX.") and not is_empty("INDICATION: Cough.")
    assert (blanks("XXXX of [**Name**] on ___"), words_in("A 5.5 mm nodule's edge.")) == (3, 5)
