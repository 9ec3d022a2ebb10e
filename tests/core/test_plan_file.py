"""Plans: overrides with their reasons, errors that name the field, and JSON that comes back the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from vesalius.core.errors import PlanError, UnknownName
from vesalius.core.plan import USER, VERSION, Plan, load_plan, override, parse_plan, save_plan


def test_a_saved_plan_is_read_back_equal(plan: Plan, tmp_path: Path) -> None:
    save_plan(plan, tmp_path / "plan.json")
    assert load_plan(tmp_path / "plan.json") == plan


def test_a_plan_is_frozen(plan: Plan) -> None:
    with pytest.raises(ValidationError):
        plan.train.steps = 3  # type: ignore[misc]


def test_an_override_sets_the_value_and_says_so(plan: Plan) -> None:
    changed = override(plan, {"train.steps": "500", "net.scale": 0.5})
    assert changed.train.steps == 500 and changed.net.scale == 0.5
    assert changed.reasons == {"train.steps": USER, "net.scale": USER}
    assert plan.train.steps == 10 and plan.reasons == {"train.steps": "a first guess"}, "the old plan stays"


@pytest.mark.parametrize(
    ("path", "text", "value"),
    [
        ("data.size", "[4, 32, 32]", (4, 32, 32)),
        ("data.spacing_mm", "null", None),
        ("augment.flip_axes", '["x"]', ("x",)),
        ("net.name", "swinunetr", "swinunetr"),
        ("train.lr", "1e-4", 1e-4),
        ("train.balance", "true", True),
        ("task.positive", "malignant", "malignant"),
    ],
)
def test_text_is_taken_as_json_or_as_it_stands(plan: Plan, path: str, text: str, value: object) -> None:
    section, field = path.split(".")
    assert getattr(getattr(override(plan, {path: text}), section), field) == value


def test_options_are_free_and_nothing_else_is(plan: Plan) -> None:
    changed = override(plan, {"net.options.stem": "small", "task.options.threshold": "f1"})
    assert changed.net.options == {"stem": "small"} and changed.task.options == {"threshold": "f1"}
    assert changed.reasons["net.options.stem"] == USER
    for path in (
        "train.stepz",
        "net.optionz.stem",
        "train.steps.more",
        "nothing",
        "reasons.x",
        "version",
        "",
    ):
        with pytest.raises(UnknownName):
            override(plan, {path: 1})


def test_an_unknown_field_names_the_closest(plan: Plan) -> None:
    with pytest.raises(UnknownName) as caught:
        override(plan, {"train.step": 3})
    assert "train.steps" in caught.value.close and "train.steps" in str(caught.value)


def test_a_field_inside_a_list_is_refused_and_not_a_crash(plan: Plan) -> None:
    with pytest.raises(UnknownName) as caught:
        override(plan, {"data.normalise.method": "fixed"})
    assert "data.normalise" in str(caught.value)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("train.steps", 0),
        ("train.lr", -1),
        ("train.lr", "NaN"),
        ("data.dims", 4),
        ("data.size", [1, 2]),
        ("net", 3),
    ],
)
def test_a_value_that_cannot_be_names_the_field(plan: Plan, path: str, value: object) -> None:
    with pytest.raises(PlanError, match=path.replace(".", r"\.")):
        override(plan, {path: value})


@pytest.mark.parametrize(
    ("path", "text", "hint"),
    [
        ("data.size", "16,32,32", "data.size=[16,32,32]"),
        ("data.spacing_mm", "1.5, 1.5,3", "data.spacing_mm=[1.5,1.5,3]"),
        ("infer.mirror", "x", 'infer.mirror=["x"]'),
    ],
)
def test_a_list_without_brackets_is_shown_with_them(plan: Plan, path: str, text: str, hint: str) -> None:
    with pytest.raises(PlanError) as caught:
        override(plan, {path: text})
    assert str(caught.value).endswith(f"found '{text}'; try: {hint}")


def test_an_absent_section_is_made_and_removed(plan: Plan) -> None:
    with_stage = override(plan, {"locate.margin_mm": "15"})
    assert with_stage.locate is not None
    assert (with_stage.locate.margin_mm, with_stage.locate.spacing_factor) == (15.0, 2.0)
    assert override(with_stage, {"locate": "null"}).locate is None


def test_a_newer_plan_is_refused(plan: Plan, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(plan.model_dump(mode="json") | {"version": VERSION + 1}))
    with pytest.raises(PlanError, match="newer"):
        load_plan(path)


def test_what_is_no_plan_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="no plan at"):
        load_plan(tmp_path / "none.json")
    for text in ("{", "[]", "\x00"):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(PlanError, match=r"bad\.json"):
            load_plan(tmp_path / "bad.json")
    (tmp_path / "scorecard.json").write_text(
        json.dumps({"answer": "Mask", "version": 99, "cases": ["x"] * 99})
    )
    with pytest.raises(PlanError) as caught:
        load_plan(tmp_path / "scorecard.json")
    assert str(caught.value).endswith(
        "scorecard.json is not a plan; found a JSON object without task, data, net, loss, train; "
        "try: the plan.json of a run"
    )
    with pytest.raises(PlanError, match="task"):
        parse_plan({})


def test_a_plan_that_lacks_fields_names_them_all(plan: Plan) -> None:
    data = plan.model_dump(mode="json")
    del data["data"]["channels"], data["net"]
    with pytest.raises(PlanError, match=r"^the plan lacks data\.channels, net; try") as caught:
        parse_plan(data)
    assert "{" not in str(caught.value)


def test_a_field_that_no_plan_has_names_the_closest(plan: Plan) -> None:
    data = plan.model_dump(mode="json")
    data["train"]["stepz"] = 4
    with pytest.raises(UnknownName, match=r"train\.steps"):
        parse_plan(data)


def test_options_of_what_is_registered_are_set_by_their_path(plan: Plan) -> None:
    changed = override(plan, {"augment.options.ghost.strength": "0.2", "loss.options.gamma": 3})
    assert changed.augment.options == {"ghost": {"strength": 0.2}} and changed.loss.options == {"gamma": 3}
    assert changed.reasons["augment.options.ghost.strength"] == USER
    with pytest.raises(PlanError, match=r"augment\.options\.ghost must be keys"):
        override(plan, {"augment.options.ghost": 0.2})


def test_the_momentum_of_settings_of_before_is_an_option(plan: Plan) -> None:
    changed = override(plan, {"train.optimizer": "sgd", "train.momentum": "0.8"})
    assert changed.train.optimizer_options == {"momentum": 0.8}
