"""Reading: what sentences say, against cases worked by hand."""

import time
from random import Random

import pytest

from _patience import patience
from vesalius.core.finding import Finding
from vesalius.texts.reading import findings_in
from vesalius.texts.terms import Terms

CHEST = Terms.named("chest")


def short(text: str) -> set[str]:
    """What a text says, each finding as name, status and side."""
    return {" ".join([f.name, f.status, *([f.side] if f.side else [])]) for f in findings_in(text, CHEST)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "No effusion, pneumothorax or consolidation.",
            {"effusion absent", "pneumothorax absent", "consolidation absent"},
        ),
        ("No effusion, mild atelectasis at the left base.", {"effusion absent", "atelectasis present left"}),
        (
            "Left lower lobe opacity may represent pneumonia or atelectasis.",
            {"opacity present left", "pneumonia uncertain", "atelectasis uncertain"},
        ),
        ("No change in the right effusion.", {"effusion present right"}),
        ("Evaluate for pneumothorax.", set()),
        ("The endotracheal tube tip is 4 cm above the carina.", {"tube present"}),
        ("Lungs are clear of focal infiltrate.", {"consolidation absent"}),
        (
            "Heart size is normal, lungs are clear.",
            {"cardiomegaly absent", "consolidation absent", "opacity absent", "nodule absent", "mass absent"},
        ),
    ],
)
def test_a_sentence_says(text: str, said: set[str]) -> None:
    assert short(text) == said


def test_a_finding_has_its_size_place_and_change() -> None:
    [found] = findings_in("A 1.2 x 0.8 cm nodule in the left upper lobe, unchanged.", CHEST)
    assert found == Finding(
        "nodule", "present", "left", "upper lobe", 12.0, None, "unchanged", "RADLEX:RID3875", 0
    )


def test_words_in_any_order_are_read_without_an_error_and_the_same_each_time() -> None:
    several = (
        "no not effusion nodule , ; or and left right 5 mm may represent ? ( ) history of but one a resolved"
    )
    words = several.split()
    random = Random(0)
    for _ in range(300):
        text = " ".join(random.choices(words, k=12))
        assert findings_in(text, CHEST) == findings_in(text, CHEST)


def test_a_sentence_without_an_end_is_read_in_a_bearable_time() -> None:
    began = time.process_time()
    findings_in("no effusion and left nodule of 5 mm , " * 400, CHEST)
    assert time.process_time() - began < patience(5)


def test_sections_of_what_was_asked_are_not_read_and_count_as_sentences() -> None:
    text = {
        "indication": "Pneumothorax?",
        "findings": "No effusion. Left nodule.",
        "comparison": "Effusion in 2010.",
    }
    assert [(f.name, f.status, f.sentence) for f in findings_in(text, CHEST)] == [
        ("effusion", "absent", 1),
        ("nodule", "present", 2),
    ]


@pytest.mark.parametrize(
    ("text", "change"),
    [
        ("The nodule is unchanged.", "unchanged"),
        ("New nodule.", "new"),
        ("The nodule has increased in size.", "larger"),
        ("The nodule is smaller.", "smaller"),
        ("The nodule has resolved.", "gone"),
        ("Nodule in the left lung.", None),
    ],
)
def test_a_change_is_read(text: str, change: str | None) -> None:
    assert [f.change for f in findings_in(text, CHEST) if f.name == "nodule"] == [change]


@pytest.mark.parametrize(
    ("text", "size", "count"),
    [
        ("Two nodules of 5 and 7 mm.", 7.0, 2),
        ("A two centimetre nodule.", 20.0, None),
        ("A nodule measuring 6 mm (previously 4 mm).", 6.0, None),
        ("The nodule grew from 4 to 6 mm.", 6.0, None),
        ("A nodule 3 cm from the hilum.", None, None),
        ("A single 12-mm nodule at T8.", 12.0, 1),
    ],
)
def test_sizes_and_counts_are_read(text: str, size: float | None, count: int | None) -> None:
    [found] = findings_in(text, CHEST)
    assert (found.size_mm, found.count) == (size, count)
