"""Earlier stages that a later one is given: a bundle or a stage of the run, as channels, chances and features."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Pil

import _vessels
import vesalius as vs
from vesalius import cli
from vesalius.core.bundle import Bundle
from vesalius.core.errors import DataError, MismatchError, PlanError, UnknownName
from vesalius.core.index_file import open_index
from vesalius.core.levels import PER_STEP
from vesalius.core.plan import load_plan
from vesalius.core.scorecard import load_scorecard
from vesalius.infer.predictor import Predictor
from vesalius.prepare.batch import main_image
from vesalius.run.begin import Asked, begin
from vesalius.run.handing import EARLIER, UNCHECKED
from vesalius.run.reading import read_workspace
from vesalius.testing.served import serve_one

SETTINGS: dict[str, Any] = {
    "net.scale": 0.125, "train.threads": 1, "train.members": 1, "train.steps": 6, "train.batch": 4,
    "train.validations": 1, "train.precision": "fp32", "data.size": [1, 32, 32], "infer.novelty": "none",
}  # fmt: skip
OWN = {"name": "vessels", "settings": {"task.target": "mask", "net.scale": 0.125, "train.steps": 3}}


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory, quick: None) -> Path:
    """Pictures with masks under `masks`, and others of the same kind without under `others`."""
    root = tmp_path_factory.mktemp("vessels")
    _vessels.write(root / "masks", 16)
    _vessels.write(root / "others", 16, first=100, masks=False)
    return root


@pytest.fixture(scope="module")
def vessels(places: Path) -> vs.Run:
    """A bundle that finds vessels, of two members."""
    told = SETTINGS | {"train.steps": 25, "train.members": 2}
    return vs.fit(places / "masks" / "cohort.csv", places / "vessels", target="mask", settings=told)


@pytest.fixture(scope="module")
def given(places: Path, vessels: vs.Run) -> Bundle:
    """A bundle that tells straight vessels from winding ones, by a picture and what the other bundle finds."""
    return fitted(places, vessels, places / "given")


def fitted(places: Path, vessels: vs.Run | Path | Bundle, out: Path, **settings: Any) -> Bundle:
    told = SETTINGS | {name.replace("__", "."): value for name, value in settings.items()}
    data = places / "others" / "cohort.csv"
    bundle = vs.fit(data, out, target="shape", settings=told, stages={"vessels": vessels}).bundle
    assert bundle is not None
    return bundle


@pytest.fixture
def picture(places: Path) -> Path:
    return places / "others" / "p100.png"


def opened(path: Path) -> Pil.Image:
    return Pil.open(path)


def test_a_bundle_that_is_given_is_sealed_in_and_its_mask_is_a_channel_of_0_and_1(
    places: Path, vessels: vs.Run, given: Bundle, picture: Path
) -> None:
    assert vessels.bundle is not None
    first, last = given.stages
    old = vessels.bundle.stages[-1]
    assert (first.name, first.takes, last.takes) == ("vessels", None, {"stage": 0, "as": "channel"})
    assert (first.plan, first.calibration) == (old.plan, old.calibration)
    for mine, theirs in zip(first.members, old.members, strict=True):
        assert (given.path / mine).read_bytes() == (vessels.bundle.path / theirs).read_bytes()
    plan = load_plan(places / "given" / "plan.json")
    assert plan.earlier[0].bundle == vessels.bundle.hash and plan.data.taken == {"vessels": ("1",)}
    assert plan.reasons["takes"] == "what 'vessels' finds, as channels beside the image"
    alone, answer = vs.predict(vessels.bundle, picture), vs.predict(given, picture)
    mask = alone.image.array[0, 0] != 0  # type: ignore[attr-defined]
    assert mask.any() and not mask.all()
    x = given.prepare(picture)[0, :, 0].numpy()
    entry = plan.data.normalise[0]
    grey = (np.asarray(opened(picture), np.float32) - entry.mean) / entry.sd  # type: ignore[operator]
    np.testing.assert_array_equal(x[1], mask.astype(np.float32))
    np.testing.assert_allclose(x[0], grey, rtol=1e-4, atol=1e-4)
    part = answer.parts["vessels"]
    assert (part.image.array == alone.image.array).all() and not part.parts  # type: ignore[attr-defined]
    changed = given.prepare(picture).clone()
    changed[:, 1] = 1 - changed[:, 1]
    model = given.torch()
    with torch.inference_mode():
        assert not torch.equal(model(changed), model(given.prepare(picture))), "the net looks at the channel"


def test_chances_are_those_of_the_other_bundle(
    places: Path, vessels: vs.Run, picture: Path, tmp_path: Path
) -> None:
    assert vessels.bundle is not None
    alone = shutil.copytree(vessels.bundle.path, tmp_path / "alone")
    bundle = fitted(places, alone, tmp_path / "run", takes__how="map")
    assert bundle.stages[-1].takes == {"stage": 0, "as": "map"}
    (said,) = [
        b.text for b in load_scorecard(tmp_path / "run" / "scorecard.json").banners if b.kind == UNCHECKED
    ]
    assert "Of the stage 'vessels': whether these data overlap" in said and "could not be checked" in said
    model = vessels.bundle.torch()
    with torch.inference_mode():
        raw = model(vessels.bundle.prepare(picture))[0]
    odds = raw[1, 0] - raw[0, 0]
    x = bundle.prepare(picture)[0, 1, 0]
    assert float((torch.logit(x.double()) - odds).abs().max()) < PER_STEP + 0.02, "a step, and half precision"
    part = vs.predict(bundle, picture).parts["vessels"]
    assert not part.parts, "what only the later stage asked for is no part of an answer"


def test_features_are_those_of_the_other_bundle(
    places: Path, vessels: vs.Run, picture: Path, tmp_path: Path
) -> None:
    bundle = fitted(places, vessels, tmp_path / "run", takes__how="features")
    plan = bundle.stages[-1].plan
    assert vessels.bundle is not None
    features = vessels.bundle.features(vessels.bundle.prepare(picture))
    assert plan.sources.vectors == {"vessels": features.shape[1]} and plan.sources.joined
    image = opened(picture)
    prepared = bundle.prepare(image)
    torch.testing.assert_close(prepared["vessels"], features, rtol=1e-5, atol=1e-5)
    model = bundle.torch()
    with torch.inference_mode():
        said = model.answer(model(prepared), image)
        other = model.answer(model({**prepared, "vessels": prepared["vessels"] + 3}), image)
    answer = vs.predict(bundle, image)
    assert said.p.tolist() == pytest.approx(answer.p.tolist(), abs=1e-6)  # type: ignore[attr-defined]
    assert other.p.tolist() != said.p.tolist()  # type: ignore[attr-defined]


def test_a_stage_of_the_same_run_is_asked_by_members_that_never_saw_the_case(
    places: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "rmtree", lambda *args, **kwargs: None)  # what was said is looked at
    told = SETTINGS | {"earlier": [OWN], "takes.how": "channel"}
    run = vs.fit(places / "masks" / "cohort.csv", tmp_path / "run", target="shape", settings=told)
    bundle = run.bundle
    assert bundle is not None and run.plan.train.folds == len(bundle.stages[0].members) == 5
    folds = json.loads((tmp_path / "run" / "folds.json").read_text())["folds"]
    cohort = vs.read(places / "masks" / "cohort.csv", target="mask")
    held = {str(np.load(p)["kept"].tobytes()) for p in (tmp_path / "run" / "cache" / "said").rglob("*.npz")}
    differ = 0
    for k, ids in enumerate(folds):
        first = replace(bundle.stages[0], members=(bundle.stages[0].members[k],))
        alone = Predictor(
            replace(bundle, stages=(first, bundle.stages[1])), device="cpu", accept_mismatch=True
        )
        for i in ids:
            case = cohort.case(i)
            bits = (alone(case).parts["vessels"].image.array != 0).astype(np.uint8)  # type: ignore[attr-defined]
            assert str(bits.tobytes()) in held
            whole = Predictor(bundle, device="cpu", accept_mismatch=True)(case).parts["vessels"]
            differ += bool(((whole.image.array != 0) != bits).any())  # type: ignore[attr-defined]
    assert differ, "the ensemble, which saw these cases, answers otherwise"
    assert run.scorecard is not None and not [b for b in run.scorecard.banners if b.kind == EARLIER]


def test_where_no_member_is_left_that_never_saw_a_case_that_is_said(places: Path, tmp_path: Path) -> None:
    own = {**OWN, "settings": {**OWN["settings"], "train.members": 1}}  # type: ignore[dict-item]
    told = SETTINGS | {"earlier": [own], "takes.how": "channel"}
    run = vs.fit(places / "masks" / "cohort.csv", tmp_path / "run", target="shape", settings=told)
    assert run.scorecard is not None
    (said,) = [b.text for b in run.scorecard.banners if b.kind == EARLIER]
    folds = json.loads((tmp_path / "run" / "folds.json").read_text())["folds"]
    seen, every = sum(map(len, folds[1:])), sum(map(len, folds))
    assert f"'vessels' had learned from {seen} of the {every} training cases" in said


def test_a_given_bundle_that_saw_the_cases_is_said_and_asked_by_the_member_that_did_not(
    places: Path, vessels: vs.Run, tmp_path: Path
) -> None:
    notes: list[str] = []

    class Watch:
        def start(self, name: str, total: int | None = None) -> None: ...
        def advance(self, name: str, done: int = 1, text: str = "") -> None: ...
        def finish(self, name: str) -> None: ...
        def note(self, text: str) -> None:
            notes.append(text)

    run = vs.fit(
        places / "masks" / "cohort.csv",
        tmp_path / "run",
        target="shape",
        settings=SETTINGS,
        stages={"vessels": vessels},
        progress=Watch(),
    )
    folds = json.loads((places / "vessels" / "folds.json").read_text())
    theirs = {i: k for k, ids in enumerate(folds["folds"]) for i in ids}
    ours = json.loads((tmp_path / "run" / "folds.json").read_text())
    learned, tested = [i for ids in ours["folds"] for i in ids], ours["test"]
    seen = sum(
        theirs.get(i, 0) > 1 for i in learned
    )  # two members are kept: folds 0 and 1 have one that did not
    assert any(
        f"learned from {sum(i in theirs for i in learned)} of the {len(learned)} training" in n for n in notes
    )
    assert run.scorecard is not None
    texts = " ".join(b.text for b in run.scorecard.banners if b.kind == EARLIER)
    assert f"had learned from {seen} of the {len(learned)} training cases" in texts
    many = sum(i in theirs for i in tested)
    assert (f"learned from {many} of the {len(tested)} test cases" in texts) == bool(many)


def test_what_a_given_bundle_learned_from_is_not_drawn_for_the_test_set(
    vessels: vs.Run, tmp_path: Path
) -> None:
    table = _vessels.write(tmp_path / "both", 40)  # the first sixteen are those that the bundle knows
    known = {f"p{k:03d}" for k in range(16)}

    def tested(**more: Any) -> set[str]:
        asked = Asked(data=table, began=0.0, target="shape", dry_run=True, **more)
        space = read_workspace(begin(asked))
        assert len(space.training) + len(space.test) == 40
        return {str(case.patient) for case in space.test}

    assert tested() & known, "else this would show nothing"
    fresh = tested(stages={"vessels": str(vessels.path)})
    assert len(fresh) >= 8 and not fresh & known


def test_stages_follow_one_another_and_a_stage_may_stand_beside_the_answer(
    places: Path, vessels: vs.Run, tmp_path: Path
) -> None:
    again = {
        "name": "again",
        "settings": {"task.target": "mask", "net.scale": 0.125, "train.steps": 2, "train.members": 2},
        "takes": {"stage": 0, "how": "map"},
    }
    told = SETTINGS | {"earlier": [again], "takes.stage": 1, "takes.how": "channel"}
    data = places / "masks" / "cohort.csv"
    run = vs.fit(data, tmp_path / "run", target="shape", settings=told, stages={"vessels": vessels})
    assert run.bundle is not None
    first, second, last = run.bundle.stages
    assert [s.name for s in (first, second, last)] == ["vessels", "again", "classify"]
    assert (second.takes, last.takes) == ({"stage": 0, "as": "map"}, {"stage": 1, "as": "channel"})
    assert second.plan.data.taken == {"vessels": ("1",)} and last.plan.data.taken == {"again": ("1",)}
    picture = data.parent / "p003.png"
    answer = vs.predict(run.bundle, picture)
    x = run.bundle.prepare(picture)[0, 1, 0].numpy()
    np.testing.assert_array_equal(x, answer.parts["again"].image.array[0, 0] != 0)  # type: ignore[attr-defined]
    bare = SETTINGS | {"takes": None}
    plan = vs.fit(data, target="shape", settings=bare, stages={"vessels": vessels}, dry_run=True).plan
    assert plan.takes is None and not plan.data.taken and plan.earlier[0].name == "vessels"
    both = {"vessels": vessels, "others": vessels}
    plan = vs.fit(data, target="shape", settings=SETTINGS, stages=both, dry_run=True).plan
    assert plan.takes is not None and [t.stage for t in (plan.takes, *plan.takes.also)] == [0, 1]
    assert plan.data.taken == {"vessels": ("1",), "others": ("1",)} and plan.data.inputs == 3


KILLED = """
import os, signal
from vesalius.run import handing
write, many = handing.write_bytes, 0
def last(*args):
    global many
    write(*args)
    many += 1
    if many == 5:
        os.kill(os.getpid(), signal.SIGKILL)
handing.write_bytes = last
import vesalius.run.budgeting as budgeting
budgeting.time_step = lambda *args, **kwargs: 0.01
from vesalius.cli import main
main()
"""


def test_killed_while_the_earlier_stage_answers_it_goes_on_to_the_same_bundle(
    places: Path, vessels: vs.Run, given: Bundle, tmp_path: Path
) -> None:
    data, run = places / "others" / "cohort.csv", tmp_path / "run"
    plan = str(places / "given" / "plan.json")
    stage = f"vessels={places / 'vessels'}"
    command = [
        sys.executable,
        "-c",
        KILLED,
        "fit",
        str(data),
        "-o",
        str(run),
        "--plan",
        plan,
        "--stage",
        stage,
    ]
    done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ))
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(list((run / "cache" / "said" / "vessels").glob("*.npz"))) == 5
    before = {p.name: p.stat().st_mtime_ns for p in (run / "cache" / "said" / "vessels").glob("*.npz")}
    assert before
    resumed = vs.fit(data, run, resume=True)
    assert resumed.bundle is not None and not (run / "cache").exists()
    for name in ("weights-0-0.safetensors", "weights-0-1.safetensors", "weights-1-0.safetensors"):
        assert (resumed.bundle.path / name).read_bytes() == (given.path / name).read_bytes()
    kept = open_index(run / "neighbours").vectors
    shutil.rmtree(run / "neighbours")
    vs.fit(data, run, resume=True)  # the index is made again, from answers that are asked anew
    np.testing.assert_allclose(open_index(run / "neighbours").vectors, kept, atol=1e-5)


def said(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    """The exit code and the words of the command line."""
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as left:
        patch.setattr(sys, "argv", ["vesalius", *map(str, arguments)])
        cli.main()
    return int(str(left.value.code)), capsys.readouterr().err


def test_what_cannot_be_a_stage_is_one_line_and_nothing_is_left(
    places: Path, vessels: vs.Run, given: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = places / "others" / "cohort.csv", tmp_path / "run"
    (tmp_path / "empty").mkdir()

    def refused(match: str, *stages: str, more: Any = None, error: type[Exception] = PlanError) -> None:
        told = SETTINGS | (more or {})
        with pytest.raises(error, match=match):
            vs.fit(data, out, target="shape", settings=told, stages=dict(s.split("=", 1) for s in stages))
        assert not out.exists()

    with pytest.raises(
        vs.core.errors.BundleError if False else Exception, match="the stage 'x' is no bundle"
    ):
        vs.fit(data, out, stages={"x": tmp_path / "empty"})
    refused("a stage cannot be called 'a b'", f"a b={places / 'vessels'}")
    refused("is called as an image of the cases is", f"image={places / 'vessels'}")
    refused(
        "two stages are called 'shape'", f"shape={places / 'vessels'}", more={"earlier": [{"name": "shape"}]}
    )
    refused(
        "takes its 'channel' from the stage 'first', which learns no place; found answers of kind Scores",
        f"first={given.path}",
        more={"takes.how": "channel"},
    )
    refused("the stage 'vessels' is a bundle, which stays as it is", f"vessels={places / 'vessels'}",
            more={"earlier.vessels.net.scale": 1})  # fmt: skip
    stage = f"vessels={places / 'vessels'}"
    refused("unknown handover 'chanels'", stage, more={"takes.how": "chanels"}, error=UnknownName)
    code, words = said(capsys, "fit", data, "-o", out, "--stage", f"x={tmp_path / 'empty'}")
    assert code == 2 and "the stage 'x' is no bundle" in words and len(words.strip().splitlines()) == 1
    code, words = said(capsys, "fit", data, "-o", out, "--stage", f"x={places / 'vessels'}", "--stage", "x=y")
    assert code == 2 and "two stages are called 'x'" in words and len(words.strip().splitlines()) == 1


def test_a_bundle_for_other_images_is_refused_before_training(given: Bundle, tmp_path: Path) -> None:
    volumes = vs.phantom(tmp_path / "ct", cases=8, seed=3, size=(8, 32, 32)) / "cohort.csv"
    with pytest.raises(
        MismatchError, match="the stage 'shape' cannot be asked about these images: .*reads single pictures"
    ):
        vs.fit(volumes, tmp_path / "run", target="class", settings=SETTINGS, stages={"shape": given})
    assert not (tmp_path / "run").exists()


def test_a_plan_alone_says_which_bundle_is_missing_and_another_one_is_not_taken_for_it(
    places: Path, vessels: vs.Run, given: Bundle, tmp_path: Path
) -> None:
    data, plan = places / "others" / "cohort.csv", places / "given" / "plan.json"
    assert vessels.bundle is not None
    with pytest.raises(
        PlanError,
        match=rf"'vessels' of this plan is the bundle {vessels.bundle.hash[:16]}, which is not given; "
        r"found no --stage vessels; try: --stage vessels=BUNDLE",
    ):
        vs.fit(data, tmp_path / "run", target="shape", plan=plan)
    with pytest.raises(PlanError, match="is the bundle .* which is not given; found the bundle"):
        vs.fit(data, places / "given", resume=True, stages={"vessels": given})


def test_a_bundle_of_several_stages_is_a_stage_with_all_of_them(
    places: Path, given: Bundle, picture: Path, tmp_path: Path
) -> None:
    data = places / "others" / "cohort.csv"
    bundle = vs.fit(data, tmp_path / "run", target="shape", settings=SETTINGS, stages={"shape": given}).bundle
    assert bundle is not None
    assert [s.name for s in bundle.stages] == ["shape-vessels", "shape", "classify"]
    assert bundle.stages[1].takes == {"stage": 0, "as": "channel", "name": "vessels"}
    assert bundle.stages[2].takes == {"stage": 1, "as": "features"}, "a class has no place"
    image = opened(picture)
    answer, alone = vs.predict(bundle, image), vs.predict(given, image)
    assert answer.parts["shape"].p.tolist() == alone.p.tolist()  # type: ignore[attr-defined]


def test_what_is_done_with_a_bundle_is_done_with_one_of_two_stages(
    places: Path, given: Bundle, picture: Path, tmp_path: Path
) -> None:
    tested = vs.selftest(given.path)
    assert tested.passed, tested
    found = vs.explain(given, picture, tmp_path / "explained", method=["occlusion"], ask=None)
    assert found is not None
    data = places / "others" / "cohort.csv"
    item = vs.torch_dataset(data, places / "given", target="shape")[0]
    case = vs.read(data, target="shape").cases[0]
    torch.testing.assert_close(item["image"], given.prepare(case)[0])
    told = SETTINGS | {"earlier": [OWN], "takes.how": "channel"}
    with pytest.raises(PlanError, match="no model is there to be asked"):
        vs.torch_dataset(places / "masks" / "cohort.csv", settings=told, target="shape")
    made = vs.calibrate(
        given.path, places / "masks" / "cohort.csv", tmp_path / "promised", coverage=0.7, target="shape"
    )
    assert [s.name for s in made.stages] == ["vessels", "classify"]
    answer = vs.predict(made, picture)
    assert answer.promise is not None and set(answer.parts) == {"vessels"}
    served = serve_one(given.path, case, tmp_path / "served")
    assert served.status == 200, served.body
    assert (places / "given" / "neighbours").is_dir()


def test_only_the_images_own_channels_are_brightened_in_training(given: Bundle, picture: Path) -> None:
    from vesalius.learn.examples import augmented

    plan = given.stages[-1].plan
    loud = plan.model_copy(update={"augment": plan.augment.model_copy(
        update={"probability": 1.0, "noise": 0.5, "brightness": 0.5, "gamma": 0.5, "blur": 0.5, "mixup": 0.0}
    )})  # fmt: skip
    still = {"rotate_deg": 0, "translate": 0, "shear": 0, "zoom": 0, "flip_axes": (), "elastic": 0, "crop": 0}
    loud = loud.model_copy(update={"augment": loud.augment.model_copy(update=still | {"cutout": 0.0})})
    seen = Predictor(given, device="cpu").encoded(vs.read(picture).cases[0])
    batch = seen.task.collate([seen.example, seen.example])
    changed = augmented(batch, loud, torch.Generator().manual_seed(1))
    image, other = batch.images["image"], changed.images["image"]
    assert torch.equal(image[:, 1], other[:, 1]) and not torch.equal(image[:, 0], other[:, 0])
    assert main_image(seen.example).shape[0] == plan.data.inputs == 2


def test_a_case_without_what_the_stage_says_is_refused(given: Bundle, picture: Path) -> None:
    from vesalius.prepare.case import prepare

    plan, case = given.stages[-1].plan, vs.read(picture).cases[0]
    with pytest.raises(DataError, match="what the stage 'vessels' says, and that is not there"):
        prepare(case, plan.data)
