"""Descriptors: what was examined and how stays, in the ways in which scanners write it; a person's name does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from vesalius.deidentify._descriptors import folded, names, stays, terms
from vesalius.deidentify._text import Cleaner

DATA = Path(__file__).parent / "data" / "us_names_1990.txt"
NAMES = [w for line in DATA.read_text().splitlines() if not line.startswith("#") for w in line.split()]


@pytest.mark.parametrize(
    "text",
    [
        "CT CHEST W/O C+", "CT C/A/P with IV", "XR CHEST PA AND LATERAL", "US Breast Right", "WB CTAC", "PET AC",
        "THORAX 1.0 B45f", "Thorax 5.0 Br40 S3", "TOPOGRAM 0.6 T20f", "LUNG FC51", "DWI b1000",
        "ep2d_diff_tra_DYNDIST_ADC",
        "t1_vibe_dixon_tra_p4_bh", "AX T2 FSE FS", "SAG 3D FLAIR", "t2_tse_cor_512", "Ax SSFSE 60s", "MIP 10x5",
        "leftbreast",
        "ABDOMENPELVIS 5min", "T1-weighted", "1.5T MRI C-SPINE", "LONG AXIS 4CH", "white matter", "kidneys", "axials",
        "Schädel nativ", "CBCT HFS", "post2 sub1", "LVOT cine", "iDose 3", "RLO", "MLO", "L5", "SMART PREP",
        "portal venous",
    ],
)  # fmt: skip
def test_technical_words_stay(text: str) -> None:
    assert Cleaner().clean(text) == text


# Parts of the body that nobody can do without; the patient's own name goes even so.
ANATOMY = {"colon", "head"}


@pytest.mark.parametrize("write", [str.lower, str.upper, str.title])
def test_frequent_names_of_people_go(write: object) -> None:
    assert callable(write)
    found = {n for n in NAMES if Cleaner().clean(f"CT 5.0 {write(n)}") != "CT 5.0"}
    assert len(NAMES) > 1500 and found == ANATOMY


def test_names_that_are_words_of_codes_stay_in_their_phrases_only() -> None:
    assert not names() & terms() and {"taylor", "long", "white", "brown", "rose", "may"} <= names()
    clean = Cleaner().clean
    assert clean("white matter, Chest Wall") == "white matter, Chest Wall"
    assert clean("White, Matter of Brown, Wall") == "of"
    assert clean("CHEST for LONG") == "CHEST for"


@pytest.mark.parametrize(
    "text", ["John Kowalski", "JS45", "born 1956", "b1956", "room B14", "x4321", "Frobnitz", "M. Q.", "A12-99"]
)  # fmt: skip
def test_what_no_term_has_the_form_of_goes(text: str) -> None:
    assert not any(c.isdigit() for c in Cleaner().clean(text).replace("99", ""))
    assert not {w for w in text.replace(".", " ").split() if w[0].isupper()} & set(
        Cleaner().clean(text).split()
    )


@pytest.mark.parametrize("name", ["Pa^Li", "Head^Ann", "Long^Axis"])
def test_the_patients_own_name_goes_before_any_term(name: str) -> None:
    cleaner = Cleaner([name])
    for part in name.split("^"):
        for text in (part, part.upper(), part.lower()):
            assert folded(part) not in folded(cleaner.clean(f"CHEST {text} 5.0")).split()


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("Kowalski^Jan", ["KOWALSKI, JAN", "jan kowalski", "JanKowalski", "KOWALSKIJAN", "jkowalski", "Kowalski_Jan"]),
        ("Müller^Jürgen", ["MULLER", "Mu\u0308ller", "jürgen MÜLLER", "J\u00ad\u00fcrgen"]),
        ("Nguyễn^Văn", ["NGUYEN VAN", "Nguye\u0302\u0303n"]),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", ["山田太郎", "山田　太郎", "患者山田様", "ﾔﾏﾀﾞ"]),
        ("=山田^太郎=やまだ^たろう", ["ヤマダタロウ", "山田さん"]),
        ("Hong^Gildong=洪^吉洞=홍^길동", ["홍길동", "洪吉洞님", "길동", "HONG GILDONG"]),
        ("Wang^XiaoDong=王^小东", ["王小东", "病人王小东的", "XIAODONG WANG"]),
        ("Иванов^Пётр", ["ИВАНОВ", "Петр Иванов", "ивановп"]),
        ("Διονυσίου^Άρης", ["ΔΙΟΝΥΣΙΟΥ", "ΑΡΗΣ", "άρησ"]),
        ("Łukasz^Jørgen", ["LUKASZ", "Jorgen", "JOERGEN"]),
        ("Li^Wu", ["LI WU", "Wu, Li", "li^wu"]),
        ("O'Connell-Smith^Mary Ann", ["O’CONNELL", "oconnell smith", "MARYANN", "Mary-Ann"]),
        ("van der Berg^Eva", ["VANDERBERG", "van der Berg", "EVA"]),
    ],
)  # fmt: skip
def test_the_patients_own_name_is_found_however_it_is_written(name: str, texts: list[str]) -> None:
    cleaner = Cleaner([name])
    parts = {
        folded(p) for p in name.replace("=", "^").replace("-", "^").replace(" ", "^").split("^") if len(p) > 1
    }
    for text in texts:
        for left in (cleaner.known(f"Scanner {text} 5.0"), cleaner.clean(f"CHEST {text} 5.0")):
            assert not [p for p in parts if p in folded(left).replace("scanner", "")], (text, left)


@pytest.mark.parametrize(
    ("name", "text"),
    [("Müller^J", "MUELLER"), ("Mueller^J", "Müller"), ("Groß^A", "GROSS"), ("Gross^A", "Groß"), ("Åse^B", "Aase")],
)  # fmt: skip
def test_a_name_is_found_in_other_spellings(name: str, text: str) -> None:
    assert Cleaner([name]).known(f"Scanner of {text}") == "Scanner of [removed]"


@pytest.mark.parametrize("text", ["774411", "77-44-11", "774 411", "77.44.11", "x774411"])
def test_a_number_is_found_however_its_digits_are_grouped(text: str) -> None:
    cleaner = Cleaner()
    cleaner.add("MRN 774411", name=False)
    assert "77" not in cleaner.known(f"rod {text}") and cleaner.known("rod 7744110") == "rod 7744110"


def test_each_term_is_folded_one_way_and_may_stay() -> None:
    assert all(stays(t) for t in terms()) and len(terms()) > 1000
