"""Reading: what sentences say, against cases worked by hand."""

import time
from random import Random

import pytest

from _patience import patience
from vesalius.core.finding import Finding
from vesalius.texts.reading import MOST, findings_in, unread_in
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


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Absent pneumothorax.", {"pneumothorax absent"}),
        ("(-) effusion", {"effusion absent"}),
        ("effusion (-) pneumothorax (-)", {"effusion absent", "pneumothorax absent"}),
        ("-ve for effusion", {"effusion absent"}),
        ("Negative pneumothorax, positive effusion.", {"pneumothorax absent", "effusion present"}),
        ("Absent breath sounds, pneumothorax seen.", {"pneumothorax present"}),
        ("?nodule right apex", {"nodule uncertain right"}),
        ("Opacity, ? pneumonia", {"opacity present", "pneumonia uncertain"}),
        ("Pseudo-nodule in the left base.", set()),
        ("Effusion, previously on the left, is now on the right.", {"effusion present right"}),
        ("Effusion right more than left, none at the apex.", {"effusion present both"}),
        ("Effusion: none at the bases.", {"effusion absent"}),
    ],
)
def test_short_forms_say(text: str, said: set[str]) -> None:
    assert short(text) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Pleural effusion: left moderate, right none.", {"effusion present left", "effusion absent right"}),
        ("Effusions: right small, left none.", {"effusion present right", "effusion absent left"}),
        ("Effusion: none right, small left.", {"effusion present left", "effusion absent right"}),
        ("Effusion: no right, small left.", {"effusion present left", "effusion absent right"}),
        ("Large left and no right pleural effusion.", {"effusion present left", "effusion absent right"}),
        ("No left but large right effusion.", {"effusion present right", "effusion absent left"}),
        (
            "Moderate effusion on the left and none on the right.",
            {"effusion present left", "effusion absent right"},
        ),
        ("Possible left effusion, none is seen on the right.", {"effusion uncertain left", "effusion absent right"}),
        ("Effusions: absent on the left and small on the right.", {"effusion present right", "effusion absent left"}),
        ("Pleural effusion: left none, right none.", {"effusion absent both"}),
        ("Effusions: none on the left.", {"effusion absent left"}),
        ("Effusion is absent on the left.", {"effusion absent left"}),
        ("Bilateral effusions, none on the left.", {"effusion present", "effusion absent left"}),  # who can tell
        ("No left or right effusion.", {"effusion absent both"}),
        ("Nodule in left, no right effusion.", {"nodule present left", "effusion absent right"}),
        ("Large left pleural and no right pleural effusion.", {"effusion absent right"}),  # of the left, nothing
    ],
)  # fmt: skip
def test_what_is_denied_on_one_side_is_denied_there_alone(text: str, said: set[str]) -> None:
    assert short(text) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "No right-sided pneumothorax, left effusion persists.",
            {"pneumothorax absent right", "effusion present left"},
        ),
        ("Resolved pneumonia, new effusion.", {"pneumonia absent", "effusion present"}),
        ("No effusion, new nodule, or mass.", {"effusion absent", "nodule absent", "mass absent"}),
        ("No pneumothorax, increasing effusion.", {"pneumothorax absent", "effusion present"}),
        ("A 5 mm (previously 7 mm) nodule.", {"nodule present"}),
        ("(No) effusion.", {"effusion absent"}),
        ("No (left) effusion.", {"effusion absent left"}),
        ("No nodules other than the known left nodule.", {"nodule absent", "nodule present left"}),
        ("Patient denies effusion.", {"effusion absent"}),
        ("Effusion cannot be denied.", {"effusion uncertain"}),
    ],
)
def test_a_denial_ends_where_something_else_begins(text: str, said: set[str]) -> None:
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


@pytest.mark.parametrize(
    "text",
    [
        "1" * 100_000 + "a nodule",
        "nodule of 5" + " " * 100_000 + "mm",
        "no nodule, " * 9_000,
        ". ".join("no nodule, " * 180 + str(k) for k in range(50)),
        ". ".join("(" * 1000 + "no nodule " * 90 + str(k) for k in range(50)),
        ". ".join("lungs clear " * 150 + str(k) for k in range(20)),
        ". ".join("1,5 x " * 300 + f"nodule {k}" for k in range(50)),
    ],
    ids=["digits", "blanks", "no end", "commas", "brackets", "shown", "lengths"],
)
def test_a_hostile_text_is_read_in_a_bearable_time(text: str) -> None:
    began = time.process_time()
    findings_in(text, CHEST)
    assert time.process_time() - began < patience(1)


def test_a_sentence_is_read_up_to_a_length_and_it_is_said_where_that_is_not_its_end() -> None:
    long = "Nodule " + "x" * MOST + " effusion"
    assert short(long) == {"nodule present"} and unread_in(long)
    assert unread_in({"findings": long}) and not unread_in({"technique": long})
    assert not unread_in("Nodule. " * MOST)


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
        ("A 1,5 cm nodule.", 15.0, None),
        ("A 0,8 cm nodule.", 8.0, None),
        ("A nodule of 1,5 x 0,8 cm.", 15.0, None),
        ("A 1/2 cm nodule.", 5.0, None),
        ("Two 1 1/2 cm nodules.", 15.0, 2),
        ("A 5/7 mm nodule.", None, None),  # of two lengths, or of two images
        ("A 1,200 mm nodule.", None, None),
        ("A ² mm nodule.", None, None),
        ("A 5 mm (previously 7 mm) nodule.", 5.0, None),
    ],
)
def test_sizes_and_counts_are_read(text: str, size: float | None, count: int | None) -> None:
    [found] = findings_in(text, CHEST)
    assert (found.size_mm, found.count) == (size, count)
