"""Cards: what is open says so, the maker's word fills it, bounds are the intervals', and checklists are the papers'."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from _known import card, known, plan

from vesalius.core.errors import PlanError, UnknownName
from vesalius.core.learned import Learned
from vesalius.core.scorecard import Banner, Interval, Scorecard
from vesalius.core.subgroups import Gap, Group, Subgroups
from vesalius.evaluate import checklists
from vesalius.evaluate.cards import change_plan, figures, filling
from vesalius.evaluate.cards.about import About, template
from vesalius.evaluate.cards.entries import FILLED, NOT_APPLICABLE, OPEN
from vesalius.evaluate.cards.filled import FilledItem, filled_in
from vesalius.evaluate.cards.reading import read_about


def scored(**more: object) -> Scorecard:
    """A scorecard as it would be of a good model on 200 cases."""
    figures = {
        "auc": Interval(0.9, 0.85, 0.94, 200),
        "accuracy": Interval(0.8, 0.74, 0.86, 200),
        "log_loss": Interval(0.4, 0.3, 0.5, 200),
    }
    trivial = {
        "auc": Interval(0.5, 0.5, 0.5, 200),
        "accuracy": Interval(0.75, 0.7, 0.8, 200),
        "log_loss": Interval(0.69, 0.68, 0.7, 200),
    }
    told: dict[str, object] = {
        "answer": "Scores", "split": "test", "n_patients": 200, "n_cases": 200, "patients_known": True,
        "data_hash": "d" * 64, "bundle": "b" * 64, "metrics": figures, "baseline": trivial,
        "baseline_is": "the majority", "labels": ("benign", "malignant"),
    }  # fmt: skip
    return Scorecard(**{**told, **more})  # type: ignore[arg-type]


def items(name: str, **more: object) -> dict[str, FilledItem]:
    """The items of one checklist, filled in."""
    found = next(c for c in filled_in(known(**more)) if c.name == name)  # type: ignore[arg-type]
    return {item.number: item for item in found.items}


# --- the papers


def test_the_checklists_have_the_items_of_their_papers() -> None:
    """TRIPOD+AI (BMJ 2024;385:e078378, table 1): 27 items, 52 with subitems. CLAIM 2024: 44 items."""
    tripod = [item.number for item in checklists.get("tripod").items]
    assert len(tripod) == len(set(tripod)) == 52
    several = {
        3: "abc",
        5: "ab",
        6: "abc",
        8: "abc",
        9: "abc",
        12: "abcdefg",
        18: "abcdef",
        20: "abc",
        23: "ab",
        27: "abc",
    }
    wanted = [f"{n}{letter}" for n in range(1, 28) for letter in several.get(n, " ")]
    assert tripod == [w.strip() for w in wanted]
    assert [item.number for item in checklists.get("claim").items] == [str(n) for n in range(1, 45)]


def test_what_an_item_asks_is_in_few_words_of_our_own() -> None:
    for name in checklists.names():
        assert all(3 < len(item.asks) < 90 for item in checklists.get(name).items)
        fields = {field for item in checklists.get(name).items for field in item.about}
        assert fields <= set(About.model_fields)


def test_the_card_has_the_nine_sections_of_mitchell() -> None:
    keys = [s.key for s in card().sections]
    assert keys == [
        "details", "use", "factors", "metrics", "evaluation", "training", "analyses", "ethics", "caveats",
    ]  # fmt: skip
    assert [s.title for s in card().changes] == [
        "Description of modifications", "Modification protocol", "Impact assessment",
    ]  # fmt: skip


# --- open, filled, not applicable


def test_nothing_that_only_a_person_knows_is_filled_by_itself() -> None:
    """With no word of the maker every item that a machine cannot know is open, whatever was measured."""
    tripod, claim = items("tripod", scorecard=scored()), items("claim", scorecard=scored())
    personal = (
        "2",
        "3a",
        "3c",
        "5b",
        "6a",
        "6b",
        "6c",
        "8b",
        "8c",
        "9c",
        "17",
        "18a",
        "18b",
        "18c",
        "18d",
        "18e",
    )
    assert {tripod[n].state for n in (*personal, "18f", "19", "25", "27c", "10", "5a", "14", "20b")} == {OPEN}
    assert {
        claim[n].state for n in ("2", "4", "5", "6", "11", "15", "16", "17", "18", "34", "42", "43", "44")
    } == {OPEN}
    assert all(
        "to be filled in by the maker" in i.text
        for i in (*tripod.values(), *claim.values())
        if i.state == OPEN
    )


def test_without_a_scorecard_nothing_of_its_figures_is_filled() -> None:
    tripod, claim = items("tripod"), items("claim")
    assert {tripod[n].state for n in ("12e", "23a", "23b")} == {OPEN}
    assert {claim[n].state for n in ("28", "29", "32", "33", "37", "38", "39")} == {OPEN}
    assert "not measured" in card().markdown() and "has not been evaluated" in card().markdown()


def test_a_part_that_is_missing_keeps_an_item_open_and_says_what_is_known() -> None:
    item = items("tripod", scorecard=scored())["23a"]
    assert item.state == OPEN and "AUC 0.900 (0.850 to 0.940)" in item.text and "subgroups" in item.text
    item = items("tripod", data={"cases": "9", "patients": "9"})["5a"]
    assert item.state == OPEN and item.text.startswith("known: cases: 9")
    item = items("tripod", data={"cases": "9"}, about=About(data_source="One clinic."))["5a"]
    assert item.state == FILLED and item.text == "cases: 9. One clinic."


def test_the_makers_word_fills_items_by_field_by_number_or_takes_them_away() -> None:
    about = About(
        funding="Nobody.", ethics_approval="Yes, 12/34.",
        items={"tripod 25": "It means little."}, not_applicable={"tripod 6c": "No treatment comes before."},
    )  # fmt: skip
    found = items("tripod", about=about)
    assert (found["18a"].state, found["18a"].text) == (FILLED, "Nobody.")
    assert (found["25"].state, found["25"].text, found["25"].where) == (
        FILLED,
        "It means little.",
        "stated by the maker",
    )
    assert (found["6c"].state, found["6c"].text) == (NOT_APPLICABLE, "No treatment comes before.")
    assert found["17"].state == OPEN and "known: Yes, 12/34." in found["17"].text, "consent is missing"
    assert items("tripod", about=About(ethics_approval="Yes.", consent="Waived."))["17"].state == FILLED


def test_other_parts_of_a_scorecard_are_taken_in_where_they_are_there() -> None:
    plain_card = scored()
    parts = (Subgroups(("sex",), ()), Subgroups(("site",), ()))
    later = replace(plain_card, subgroups=parts, selective={"coverage": [1.0]})
    assert items("tripod", scorecard=later)["23b"].text == "figures by sex, site"
    assert items("tripod", scorecard=later)["23a"].state == FILLED
    text = card(
        later,
        extras=("selftest", "novelty"),
        calibration={"promise": {"coverage": 0.9, "on": {"source": "a cohort of its own"}}},
    ).markdown()
    for told in (
        "by sex, site",
        "risk against coverage was measured",
        "vesalius selftest",
        "coverage of 90 %",
    ):
        assert told in text
    bare = card(plain_card).markdown()
    for missing in ("results by group", "abstention", "unlike images", "self-test", "sets and intervals"):
        assert re.search(rf"^\| {missing} \| \*\*open\*\*", bare, re.M), missing


def test_a_card_does_not_say_validation_of_what_calibrate_fitted_nor_unseen_of_training_cases() -> None:
    on = {"source": "a cohort of its own", "refit": ["temperature"]}
    fitted = {"temperature": 1.2, "n": 40, "promise": {"coverage": 0.9, "on": on}}
    text = card(scored(), calibration=fitted).markdown()
    assert "| calibrated | yes, on cases of a calibration |" in text and "on validation cases |" not in text
    assert (
        "| calibrated | yes, on validation cases |"
        in card(scored(), calibration={"temperature": 1.2}).markdown()
    )
    assert items("tripod", scorecard=scored())["12f"].state == FILLED
    assert items("tripod", scorecard=replace(scored(), split="training"))["12f"].state == OPEN
    leaking = replace(scored(), banners=(Banner("training cases", "These are training cases."),))
    assert items("tripod", scorecard=leaking)["12f"].state == OPEN
    assert items("tripod")["12f"].state == OPEN


def test_patients_that_are_not_known_keep_their_item_open() -> None:
    assert items("claim", scorecard=scored())["20"].state == FILLED
    item = items("claim", scorecard=replace(scored(), patients_known=False))["20"]
    assert item.state == OPEN and "one may be in two parts" in item.text


def test_data_of_the_same_hash_are_internal_and_others_external() -> None:
    same, other = {"data": "d" * 64}, {"data": "e" * 64}
    assert filling.internal(known(scored(), hashes=same)) and not filling.external(
        known(scored(), hashes=same)
    )
    assert filling.external(known(scored(), hashes=other)) and not filling.internal(
        known(scored(), hashes=other)
    )
    assert "kept from training" in card(scored(), hashes=same).markdown()
    assert "kept from training" not in card(scored(), hashes=other).markdown()


def test_what_it_learned_from_stands_in_the_card() -> None:
    learned = Learned(
        cases=7, modalities=("CT",), units=("HU",), body_parts=(None,), flat=False, size=((20, 30), (64, 64), (48, 48)),
        spacing_mm=((1, 1), (1, 1), (2, 5)), darkest=(-1000, -900), brightest=(900, 1000), absolute=True,
    )  # fmt: skip
    text = card(learned=learned).markdown()
    assert "modality CT; unit HU; size 48 × 64 × 20 to 30; spacing 1 × 1 × 2 to 5 mm" in text
    assert "images that declare a modality other than CT or a unit other than HU" in text


def test_groups_and_gaps_of_a_scorecard_stand_in_the_card_and_small_groups_stay_withheld() -> None:
    """As `evaluate --by` makes them: what each is grouped by, its groups, and the gap between best and worst."""
    group = Group("F", 90, 90, {"auc": Interval(0.93, 0.88, 0.97, 90)})
    small = Group("M", None, None, withheld="fewer than 10 patients")
    spread = Interval(0.1, 0.02, 0.2, 200)
    gap = Gap("auc", "higher", "F", "M", spread, 0.01, 0.02, 0.1, 0.2, "found", ("F", "M"))
    parts = (Subgroups(("sex",), (group, small), (gap,)), Subgroups(("sex", "age"), (group,)))
    later = replace(scored(), subgroups=parts)
    assert [t.title for t in figures.each_group(later)] == ["By sex", "By sex × age"]
    text = card(later).markdown()
    assert "| F | 90 | 0.930 (0.880 to 0.970) |" in text and "| M | – | fewer than 10 patients |" in text
    assert "gap by sex: found, M against F 0.100 (0.020 to 0.200)" in text
    assert "| intersectional results | by sex, sex × age |" in text


# --- change control


def test_the_bounds_of_a_change_are_the_worse_ends_of_the_intervals_of_now() -> None:
    table = change_plan.acceptance(scored())
    assert table is not None
    rows = {row[0].text: row[2].text for row in table.rows}
    assert rows == {"AUC": "≥ 0.850"}, "accuracy does not clearly beat the trivial answer"
    assert change_plan.bound(Interval(0.4, 0.3, 0.5, 200), "lower") == 0.5, "for errors, the higher end"
    assert change_plan.bound(Interval(0.4, 0.3, 0.5, 200), "") is None


def test_an_interval_that_proves_nothing_gives_no_bound() -> None:
    few = {"auc": Interval(1.0, 1.0, 1.0, 5), "accuracy": Interval(0.8, None, None, 5, reason="one patient")}
    assert change_plan.acceptance(scored(metrics=few, n_cases=5, n_patients=5)) is None
    entry = {e.name: e for s in card().changes for e in s.entries}["acceptance"]
    assert entry.state == OPEN
    doubted = scored(banners=(Banner("few cases", "There are few."),))
    entry = {e.name: e for s in card(doubted).changes for e in s.entries}["acceptance"]
    assert entry.state == OPEN and "few cases" in entry.text


def test_thresholds_and_hashes_of_now_stand_in_the_plan() -> None:
    k = known(
        labels=("benign", "malignant"), calibration={"temperature": 1.2, "thresholds": {"malignant": 0.31}},
        hashes={"data": "d" * 64, "weights": "e" * 64, "bundle": "f" * 64},
    )  # fmt: skip
    text = str([[c.text for c in row] for row in change_plan.sections(k)[0].tables[0].rows])
    assert "Malignant 0.31" in text and "d" * 16 in text and "e" * 16 in text
    rollback = {e.name: e.text for e in change_plan.sections(k)[1].entries}["rollback"]
    assert "f" * 16 in rollback


# --- what only a person knows


def test_the_template_is_empty_and_names_every_field(tmp_path: Path) -> None:
    path = tmp_path / "about.yaml"
    path.write_text(template(), encoding="utf-8")
    found = read_about(path)
    assert found == About() and found.plain() == {}, "a template that nobody filled in says nothing"
    asked = [name for name, field in About.model_fields.items() if field.description]
    assert all(f"\n{name}: " in template() for name in asked) and len(asked) > 35


def test_what_is_given_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "about.yaml"
    path.write_text(
        "maker: Us\nindications:\n - a mass\n - pain\nitems: {'claim 3': 'As said.'}\n", encoding="utf-8"
    )
    found = read_about(path)
    assert found.indications == "a mass; pain" and found.of("claim", "3") == "As said."
    assert read_about(found.plain()) == found == read_about(json.loads(json.dumps(found.plain())))


@pytest.mark.parametrize(
    ("text", "kind", "says"),
    [
        ("makre: Us\n", PlanError, r"line 1: unknown key 'makre'; try: .*maker"),
        ("maker: 3\n", PlanError, r"line 1: maker: must be a text; found 3; try: quotes around it"),
        ("maker: Us\nmaker: You\n", PlanError, r"line 2: the key 'maker' stands twice"),
        ("contact: see /data/jane/notes.txt\n", PlanError, "contact: names a path of this machine"),
        ("contact: C:\\Users\\jane\n", PlanError, "names a path"),
        ("items: {'tripod 99': x}\n", UnknownName, "unknown item of a checklist 'tripod 99'; try: closest: tripod 9"),
        ("not_applicable: {'tripod 6x': x}\n", UnknownName, "tripod 6x"),
        ("- a\n- b\n", PlanError, "holds no settings"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line(text: str, kind: type[Exception], says: str, tmp_path: Path) -> None:
    path = tmp_path / "about.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(kind, match=says) as caught:
        read_about(path)
    assert "\n" not in str(caught.value)


def test_words_with_slashes_and_addresses_are_no_paths() -> None:
    for text in ("CT/MRI and/or PET", "https://example.org/a/b", "jane@example.org", "1/2 of cases, 12/34"):
        assert read_about({"contact": text}).contact == text


def test_the_plan_for_tests_is_a_plan() -> None:
    assert plan().task.name == "classify"
