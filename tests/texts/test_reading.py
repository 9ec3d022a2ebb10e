"""Reading: what sentences say, against cases worked by hand."""

import pytest

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
