"""Agreement: what speaks against what is said, case by case."""

from vesalius.core.finding import Finding
from vesalius.texts.agreement import contradicts

TRUTH = (
    Finding("nodule", "present", "left", size_mm=10.0),
    Finding("effusion", "present", "both"),
    Finding("mass", "uncertain"),
)


def test_what_is_there_is_borne_out() -> None:
    assert contradicts(Finding("nodule", "present", "left", size_mm=11.5), TRUTH) == ""
    assert contradicts(Finding("nodule"), TRUTH) == ""  # without a side
    assert contradicts(Finding("effusion", "present", "both"), TRUTH) == ""
    assert contradicts(Finding("fracture", "absent"), TRUTH) == ""
    assert contradicts(Finding("effusion", "present", "left"), TRUTH) == ""  # and on the right
    each = (Finding("mass", "present", "left"), Finding("mass", "present", "right"))
    assert contradicts(Finding("mass", "present", "both"), each) == ""


def test_what_is_not_there_is_contradicted() -> None:
    assert contradicts(Finding("fracture"), TRUTH) == "no fracture is there"
    assert contradicts(Finding("nodule", "absent"), TRUTH) == "left nodule of 10 mm is there"
    assert (
        contradicts(Finding("nodule", "present", "right"), TRUTH)
        == "the nodule is on the left, not on the right"
    )
    assert contradicts(Finding("nodule", "present", "left", size_mm=100.0), TRUTH).endswith(
        "10 mm, not 100 mm"
    )
    assert contradicts(Finding("nodule", "present", "both"), TRUTH)  # it is on the left alone


def test_a_denial_of_one_side_is_borne_out_by_the_other() -> None:
    assert contradicts(Finding("nodule", "absent", "right"), TRUTH) == ""
    assert contradicts(Finding("nodule", "absent", "both"), TRUTH)
    assert contradicts(Finding("effusion", "absent", "right"), TRUTH)  # it is on both sides


def test_a_doubt_is_borne_out_by_what_is_there_or_in_doubt_alone() -> None:
    assert contradicts(Finding("fracture", "uncertain"), TRUTH) == "no fracture is there"
    assert contradicts(Finding("effusion", "uncertain"), [Finding("effusion", "absent")])
    assert contradicts(Finding("nodule", "uncertain", "left", size_mm=40.0), TRUTH) == ""
    assert contradicts(Finding("nodule", "uncertain", "right"), TRUTH).endswith("not on the right")
    assert contradicts(Finding("mass", "uncertain"), TRUTH) == ""
    one_each = (Finding("mass", "present", "left"), Finding("mass", "uncertain", "right"))
    assert contradicts(Finding("mass", "uncertain", "right"), one_each) == ""


def test_what_is_past_contradicts_nothing_and_a_truth_in_doubt_neither() -> None:
    assert contradicts(Finding("fracture", "past"), TRUTH) == ""
    assert contradicts(Finding("mass"), TRUTH) == ""  # the truth itself is in doubt
