"""What was learned from, and what differs from it: each sentence against figures worked out by hand."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from vesalius.core.learned import Seen, compare, parse, statistics, summary
from vesalius.core.modalities import of_channel, of_code, of_word, sequence_of

CT = Seen((40, 128, 128), (0.8, 0.8, 1.5), -1000.0, 400.0, "CT", "HU", "ABDOMEN", "T1")
CASES = [CT, replace(CT, size=(60, 128, 128), spacing_mm=(0.8, 0.8, 1.0), darkest=-1020.0, brightest=600.0)]
LEARNED = summary(statistics(CASES), absolute=True)


def test_a_record_is_a_summary_that_json_holds() -> None:
    assert (LEARNED.cases, LEARNED.modality, LEARNED.unit, LEARNED.flat) == (2, "CT", "HU", False)
    assert LEARNED.size[0] == pytest.approx((40.1, 59.9)) and LEARNED.size[1] == (128, 128)
    assert parse(json.loads(json.dumps(LEARNED.json()))) == LEARNED
    mixed = summary(statistics([CT, replace(CT, modality=None, spacing_mm=None)]), absolute=True)
    assert (mixed.modalities, mixed.modality, mixed.spacing_mm) == (("CT", None), None, None)
    assert compare(mixed, replace(CT, modality="MR")).mismatch == (), (
        "what one case did not say may have been MR"
    )


def test_what_is_alike_passes_without_a_word() -> None:
    for case in CASES:
        assert compare(LEARNED, case) == compare(
            LEARNED, replace(case, modality=None, unit=None, body_part=None)
        )
        assert compare(LEARNED, case).mismatch == compare(LEARNED, case).outside == ()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"modality": "MR"}, "modality MR, learned from CT"),
        ({"unit": "SUVbw"}, "unit SUVbw, learned from HU"),
    ],
)
def test_another_modality_or_unit_is_a_mismatch(change: dict[str, str], said: str) -> None:
    assert compare(LEARNED, replace(CT, **change)).mismatch == (said,)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"body_part": "HEAD"}, "body part HEAD, learned from ABDOMEN"),
        (
            {"spacing_mm": (0.8, 0.8, 5.0)},
            "spacing 0.8 × 0.8 × 5 mm, learned from 0.8 × 0.8 × 1.002–1.498 mm",
        ),
        ({"sequence": "FLAIR"}, "sequence FLAIR, learned from T1"),
        ({"spacing_mm": None}, "no spacing, learned from 0.8 × 0.8 × 1.002–1.498 mm"),
        ({"size": (40, 512, 512)}, "size 512×512×40, learned from 128×128×40.1–59.9"),
        ({"size": (1, 128, 128)}, "a single plane, learned from volumes"),
        ({"darkest": 0.0}, "darkest values 0, learned from -1020 to -1000 HU"),
        ({"brightest": 3000.0}, "brightest values 3000, learned from 401–599 HU"),
    ],
)
def test_what_lies_outside_is_said(change: dict[str, object], said: str) -> None:
    found = compare(LEARNED, replace(CT, **change))  # type: ignore[arg-type]
    assert (found.mismatch, found.outside) == ((), (said,))


def test_ranges_are_widened_by_a_tolerance() -> None:
    for near in (
        {"spacing_mm": (1.0, 0.64, 1.8)},
        {"size": (27, 192, 86)},
        {"darkest": -1400.0},
        {"brightest": 990.0},
    ):
        assert compare(LEARNED, replace(CT, **near)).outside == ()  # type: ignore[arg-type]
    relative = summary(statistics(CASES), absolute=False)  # images of which each has a scale of its own
    assert compare(relative, replace(CT, darkest=0.0, brightest=3000.0)).outside == ()
    assert compare(relative, replace(CT, brightest=90_000.0)).outside


def test_descriptions_name_sequences() -> None:
    told = {
        "Ax T2 FLAIR": "FLAIR", "t2_tirm_tra_dark-fluid": "FLAIR", "SAG T1": "T1", "t1_mprage_sag_p2": "T1",
        "Ax T1 +C": "T1C", "T1 post Gd": "T1C", "AX T1CE": "T1C", "t2_tse_tra": "T2", "DWI b1000": "DWI",
        "ADC map": "ADC",
        "FLUID_ATTENUATED": "FLAIR", "DIFFUSION": "DWI", "PROTON_DENSITY": "PD", "Axial": None, "": None,
    }  # fmt: skip
    assert {text: sequence_of(text) for text in told} == told


def test_codes_and_words_of_alike_modalities_are_one() -> None:
    assert {of_code(c) for c in ("CR", "DX", "RG", "cr ")} == {"DX"} and of_code("XA") == of_code(
        "RF"
    ) == "XA"
    assert [of_code(c) for c in ("OT", "SEG", "", None)] == [None] * 4
    assert [of_word(w) for w in ("MRI", "CT", "X-ray", "PET", "ultrasound", "zscore")] == [
        "MR", "CT", "DX", "PT", "US", None,
    ]  # fmt: skip
    assert of_channel("T1-weighted") == of_channel("FLAIR") == "MR" and of_channel("noNorm") is None
