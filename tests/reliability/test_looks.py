"""What looks find: planted faults and no others, figures against cases worked by hand, and what silences them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage, stats

import vesalius as vs
from vesalius.core import registry
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort, Label, TargetInfo
from vesalius.core.errors import UnknownName
from vesalius.core.image import Array, Image
from vesalius.metrics import rank_auc
from vesalius.reliability import duplicates, html, looks
from vesalius.reliability.inspect import Inspection, inspect
from vesalius.reliability.looks import _flips, _masks, _telling, turned
from vesalius.reliability.looks._robust import deviations

Draw = Callable[..., Array]
Build = Callable[..., Cohort]
FAULTS = {
    "blurred": ("blurred",),
    "clipped": ("clipped", "saturated"),
    "motion": ("motion",),
    "truncated": ("truncated",),
}


def kinds(found: Inspection) -> dict[str, set[str]]:
    """The cases that each kind of finding names."""
    named: dict[str, set[str]] = {}
    for f in found.findings:
        named.setdefault(f.kind, set()).update(f.cases)
    return named


@pytest.fixture(scope="module")
def sick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Inspection]]:
    """Blobs with four faults in a tenth of the cases each, and what is found."""
    folder = tmp_path_factory.mktemp("sick") / "a"
    root = vs.phantom(folder, kind="blob", cases=40, seed=5, faults=dict.fromkeys(FAULTS, 0.1))
    yield root, vs.inspect(root / "cohort.csv", target="class", progress=False)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(fault: str, sick: tuple[Path, Inspection]) -> None:
    root, found = sick
    planted = json.loads((root / "truth.json").read_text())["faults"]
    others = {
        f["case"] for f in planted if f["kind"] != fault
    }  # a clipped image that is then blurred has no wall
    truth = {f["case"] for f in planted if f["kind"] == fault} - others
    assert len(truth) >= 2
    named = {case for kind in FAULTS[fault] for case in kinds(found).get(kind, ())}
    assert truth <= named <= truth | others


def test_a_finding_says_what_it_rests_on_and_what_silences_it(sick: tuple[Path, Inspection]) -> None:
    root, found = sick
    one = next(f for f in found.findings if f.kind == "motion")
    assert one.severity == "warning" and one.hint and "robust standard deviations" in one.evidence
    assert set(one.measured) == set(one.cases) and one.silencer == "--silence motion"
    sizes = [abs(v) for v in one.measured.values()]
    assert sizes == sorted(sizes, reverse=True)
    page = html.render(found)
    part = page.partition(one.text)[2].partition("</li>")[0]
    assert part.count("<figure") == len(one.cases) and "--silence motion" in part
    quiet = vs.inspect(root / "cohort.csv", target="class", silence=["motion", "truncated"], progress=False)
    assert not {"motion", "truncated"} & set(kinds(quiet))
    assert quiet.silenced == {"motion": 1, "truncated": 1}
    assert "truncated (1)" in html.render(quiet)


def test_a_look_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="look 'blurry'.*blurred"):
        vs.inspect(tmp_path, silence=["blurry"])


def test_clean_pictures_are_not_called_faulty(draw: Draw, cohort_from: Build) -> None:
    found = inspect(cohort_from({f"p{k}": draw(k) for k in range(30)}))
    assert {f.kind for f in found.findings if f.severity != "note"} <= {"labels"}


def test_pictures_without_a_side_are_not_told_from_their_flips() -> None:
    views = np.random.default_rng(0).normal(size=(60, 1, 20, 20)).astype(np.float32)
    assert _flips.judged(views, turned.flipped(views, "mirrored"), [str(k) for k in range(60)]) is None


def test_a_flip_changes_the_sign_of_a_score_and_copies_do_not_vouch_for_one_another() -> None:
    rng = np.random.default_rng(1)
    ramp = np.tile(np.linspace(-1, 1, 20), (20, 1))
    views = (ramp + 0.4 * rng.normal(size=(40, 1, 20, 20))).astype(np.float32)
    views[:6] = turned.flipped(views[:1], "mirrored")  # six copies of one mirrored picture
    groups = ["copies"] * 6 + [str(k) for k in range(34)]
    scores = _flips.judged(views, turned.flipped(views, "mirrored"), groups)
    assert scores is not None and (scores[:6] < -0.4).all() and (scores[6:] > 0).all()


def test_what_is_misjudged_where_the_side_is_weak_is_not_called_turned() -> None:
    # scores as of an even spread from -1 to 3 about the usual 1: its median distance is 1, its limit 1 - 3 · 1.4826
    weak = np.linspace(-1, 3, 41)
    assert _flips.limit_of(weak) == pytest.approx(1 - 3 * 1.4826) and weak.min() > _flips.limit_of(weak)
    clear = np.array([1.0] * 30 + [0.9, 1.1] * 5 + [-1.0] * 3)
    assert _flips.limit_of(clear) == -_flips.USUAL
    rng = np.random.default_rng(4)
    ramp = np.tile(np.linspace(-1, 1, 20), (20, 1))
    views = (0.13 * ramp + rng.normal(size=(120, 1, 20, 20))).astype(np.float32)
    scores = _flips.judged(views, turned.flipped(views, "mirrored"), [str(k) for k in range(120)])
    assert scores is not None and (scores < -_flips.USUAL).sum() > 3
    assert (scores < _flips.limit_of(scores)).sum() <= 1


def test_too_many_turned_images_are_two_sorts_and_no_fault(cohort_from: Build) -> None:
    rng = np.random.default_rng(2)
    ramp = np.tile(np.linspace(40, 200, 32), (32, 1))
    pictures = {f"p{k}": (ramp + rng.normal(0, 12, (32, 32))).astype(np.uint8) for k in range(50)}
    sides = {n: p[:, ::-1] if k % 10 < 2 else p for k, (n, p) in enumerate(pictures.items())}
    few = kinds(inspect(cohort_from(sides)))
    assert few["mirrored"] == {n for k, n in enumerate(pictures) if k % 10 < 2}
    many = {n: p[:, ::-1] if k % 10 < 4 else p for k, (n, p) in enumerate(pictures.items())}
    found = inspect(cohort_from(many))
    assert all(f.severity == "note" and not f.cases for f in found.findings if f.kind == "mirrored")


def test_an_inverted_and_a_rescaled_picture_are_named(draw: Draw, cohort_from: Build) -> None:
    base = ndimage.gaussian_filter(draw(0).astype(np.float32), 3)
    pictures = {f"p{k}": (base * 0.5 + 0.1 * draw(k + 1)).astype(np.float32) for k in range(12)}
    pictures["inverted"] = pictures["p3"].max() - pictures["p4"]
    pictures["times ten"] = pictures["p5"] * 100
    named = kinds(inspect(cohort_from(pictures)))
    assert named["inverted"] == {"inverted"} and named["intensity"] == {"times ten"}


def test_robust_deviations_bear_outliers() -> None:
    values = {f"c{k}": float(k) for k in range(9)} | {"far": 1000.0}
    found = deviations(values, floor=0.1)
    assert found["far"] == pytest.approx((1000 - 4.5) / (1.4826 * 2.5)) and found["c4"] == pytest.approx(
        -0.5 / 3.7065
    )
    assert deviations({"a": 1.0, "b": 2.0}, floor=0.1) == {}


def test_a_mask_is_measured_as_worked_by_hand() -> None:
    labels = np.zeros((9, 40, 40), np.uint8)
    labels[1:8, 5:15, 5:15] = 1
    labels[4] = 0  # a plane that is missing
    labels[2, 30:32, 30] = 1  # a speck
    labels[3, 0, 20:23] = 2  # at the upper border
    affine = np.diag([2.0, 2.0, 3.0, 1.0])
    one, two = _masks.drawn(Image(labels[None], affine=affine)).values()
    assert one.size == 12.0 * (6 * 100 + 2) and (one.pieces, one.specks, one.edge, one.gap) == (3, 1, 0, 1)
    assert one.place == pytest.approx((30 / 40 - 0.02, 30 / 40 - 0.02, 32 / 40 + 0.02, 31 / 40 + 0.02))
    assert (two.edge, two.gap, two.at_edge) == (3, 0, (0.0, 0.0, 0.08, 1.0))


def drawings(cases: int = 12) -> Cohort:
    """Volumes with one label, a ball of about the same size in each."""
    grid = np.mgrid[:12, :32, :32]
    rng = np.random.default_rng(0)
    made = []
    for k in range(cases):
        ball = ((grid[0] - 6) ** 2 * 2 + (grid[1] - 15) ** 2 + (grid[2] - 15) ** 2) < (7 + 0.1 * k) ** 2
        image = (100 * ball + rng.normal(0, 10, ball.shape)).astype(np.float32)
        targets = {"mask": Image(ball.astype(np.uint8)[None])}
        made.append(Case(f"c{k}", {"image": Image(image[None])}, targets=targets, patient=f"p{k}"))
    info = TargetInfo("mask", "mask", (Label(1, "organ"),))
    return Cohort(Path("drawn"), "folder", tuple(made), {"mask": info}, patients_known=True)


def redrawn(cohort: Cohort, changes: dict[str, Callable[[Array], None]]) -> Cohort:
    cases = []
    for case in cohort.cases:
        if case.id in changes:
            labels = case.targets["mask"].array.copy()  # type: ignore[union-attr]
            changes[case.id](labels[0])
            case = replace(case, targets={"mask": Image(labels)})
        cases.append(case)
    return replace(cohort, cases=tuple(cases))


def test_specks_borders_gaps_and_sizes_are_found_where_they_were_drawn() -> None:
    def speck(m: Array) -> None:
        m[2, 29:31, 29:31] = 1

    def border(m: Array) -> None:
        m[6, 15, :15] = 1

    def gap(m: Array) -> None:
        m[6] = 0

    def small(m: Array) -> None:
        keep = m[6, 14:17, 14:17].copy()
        m[:] = 0
        m[6, 14:17, 14:17] = keep

    cohort = drawings()
    assert {f.kind for f in inspect(cohort).findings if f.cases} == set()
    found = inspect(redrawn(cohort, {"c1": speck, "c2": border, "c3": gap, "c4": small}))
    named = kinds(found)
    assert named["stray islands"] == {"c1"} and named["touches the border"] == {"c2"}
    assert named["missing slices"] == {"c3"} and named["impossible volume"] == {"c4"}
    assert "mask: organ" in next(f.text for f in found.findings if f.kind == "missing slices")


def test_a_volume_with_an_empty_or_a_repeated_plane_is_named() -> None:
    cohort = drawings()
    arrays = {c.id: c.images["image"].array.copy() for c in cohort.cases}  # type: ignore[union-attr]
    arrays["c5"][0, 4] = 0
    arrays["c6"][0, 7] = arrays["c6"][0, 6]
    cases = tuple(replace(c, images={"image": Image(arrays[c.id])}) for c in cohort.cases)
    texts = {
        f.cases: f.text for f in inspect(replace(cohort, cases=cases)).findings if f.kind == "missing slices"
    }
    assert "empty planes" in texts["c5",] and "repeated planes" in texts["c6",]


def test_an_auc_and_its_interval_are_those_of_the_literature() -> None:
    # Hanley and McNeil (1982), equation 2: AUC 0.893 of 51 abnormal and 58 normal cases, standard error 0.0325
    low, high = _telling.interval(0.893, 51, 58)
    middle, slope = np.log(0.893 / 0.107), 1 / (0.893 * 0.107)
    error = (np.log(high / (1 - high)) - middle) / 1.96 / slope
    assert error == pytest.approx(0.0325, abs=1e-4)
    rng = np.random.default_rng(3)
    y = rng.random(60) < 0.4
    scores = rng.normal(size=60) + y
    expected = stats.mannwhitneyu(scores[y], scores[~y]).statistic / (y.sum() * (~y).sum())
    assert rank_auc(scores, y) == pytest.approx(expected)


def test_noise_tells_no_label_and_a_site_that_goes_with_it_does(draw: Draw, cohort_from: Build) -> None:
    rng = np.random.default_rng(5)
    cohort = cohort_from({f"p{k}": draw(k, 24) for k in range(60)})
    labels = [c.targets["class"] for c in cohort.cases]
    sites = [("north" if (x == "a") == (rng.random() < 0.95) else "south") for x in labels]

    def with_columns(words: list[str], name: str) -> Cohort:
        cases = tuple(replace(c, covariates={name: w}) for c, w in zip(cohort.cases, words, strict=True))
        return replace(cohort, cases=cases)

    told = [f for f in inspect(with_columns(sites, "site")).findings if f.kind == "shortcut"]
    assert [f.severity for f in told] == ["warning"] and "the column 'site' tells class" in told[
        0
    ].text.replace("column site", "column 'site'")
    agree = np.mean([(s == "north") == (x == "a") for s, x in zip(sites, labels, strict=True)])
    assert float(told[0].evidence.split()[1].rstrip(",")) == pytest.approx(agree, abs=0.02)
    lots = [str(w) for w in rng.choice(["north", "south"], 60)]
    assert [f for f in inspect(with_columns(lots, "site")).findings if f.kind == "shortcut"] == []


def test_text_is_a_clue_among_the_cases_that_were_read_alone(
    draw: Draw, cohort_from: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every second case is read, all of one class: that tells nothing. Text on one class alone does."""
    pictures = {f"p{k}": draw(k, 24) for k in range(40)}

    def told(labels: list[str], shown: str) -> list[str]:
        turn = iter(range(len(labels)))

        def reads(plane: Array) -> list[tuple[float, float, float, float]]:
            k = every * next(turn)
            return [(0.1, 0.1, 0.2, 0.2)] if labels[k] == shown or (shown == "some" and k % 8 == 0) else []

        every = 2 if shown == "some" else 1
        monkeypatch.setattr(looks, "READ", len(labels) // every)
        cohort = cohort_from(pictures, labels=dict(zip(pictures, labels, strict=True)))
        found = inspect(cohort, read_text=reads)
        return [f.text for f in found.findings if f.kind == "shortcut"]

    assert told(["ab"[k % 2] for k in range(40)], "some") == []
    assert [t.partition(" tells ")[0] for t in told(["ab"[k % 2] for k in range(40)], "a")] == [
        "burned-in text"
    ]


def test_a_marker_of_one_class_is_framed_where_it_stands(tmp_path: Path) -> None:
    root = vs.phantom(tmp_path / "a", kind="spots", cases=40, faults={"marker": 1.0})
    found = vs.inspect(root / "cohort.csv", progress=False)
    one = next(f for f in found.findings if f.kind == "shortcut")
    truth = {f["case"] for f in json.loads((root / "truth.json").read_text())["faults"]}
    assert set(one.cases) == truth and "upper left corner" in one.text and "100% of 'spot'" in one.evidence
    assert all(p[:2] == (0.0, 0.0) for p in one.places.values())
    clean = vs.inspect(vs.phantom(tmp_path / "b", kind="spots", cases=40) / "cohort.csv", progress=False)
    assert not [f for f in clean.findings if f.kind == "shortcut"]


def test_cohorts_that_share_a_picture_and_a_patient_are_told(
    draw: Draw, cohort_from: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = cohort_from({f"p{k}": draw(k) for k in range(10)}, patients={f"p{k}": f"m{k}" for k in range(10)})
    pictures = {f"q{k}": draw(100 + k) for k in range(9)} | {"again": draw(4)}
    theirs = cohort_from(pictures, patients={n: f"t{k}" for k, n in enumerate(pictures)} | {"q1": "M7"})
    found = inspect(mine, others=[replace(theirs, root=Path("elsewhere"))])
    named = kinds(found)
    assert named["shared picture"] == {"p4"} and named["shared patient"] == {"p7"}
    assert "elsewhere" in next(f.text for f in found.findings if f.kind == "shared picture")
    assert "shared picture" not in kinds(inspect(mine))
    assert "near shared picture" not in named
    monkeypatch.setattr(duplicates, "LIMIT", 19)  # each cohort has fewer, both together more
    notes = [f for f in inspect(mine, others=[theirs]).findings if f.kind == "near shared picture"]
    assert [f.severity for f in notes] == ["note"] and "20 cases here and in" in notes[0].text


def test_text_is_told_with_its_place_where_somebody_reads(draw: Draw, cohort_from: Build) -> None:
    cohort = cohort_from({f"p{k}": draw(k) for k in range(9)})
    seen = []

    def reads(plane: Array) -> list[tuple[float, float, float, float]]:
        seen.append(plane.shape)
        return [(0.1, 0.2, 0.3, 0.4)] if len(seen) == 2 else []

    found = inspect(cohort, read_text=reads)
    one = next(f for f in found.findings if f.kind == "burned-in text")
    assert len(seen) == 9 and len(one.cases) == 1 and list(one.places.values()) == [(0.1, 0.2, 0.3, 0.4)]
    assert "burned-in text" not in kinds(inspect(cohort))


def test_every_look_has_a_place_and_a_line() -> None:
    for name, words in registry.names("reliability.looks").items():
        assert isinstance(registry.literals("reliability.looks", name)["ORDER"], int)
        assert 10 < len(words) < 130 and hasattr(registry.lookup("reliability.looks", name), "find")
