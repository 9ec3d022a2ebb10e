"""What a plan takes as nets over time: their names, their options, and one line where they do not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vesalius as vs
from vesalius import formats, nets
from vesalius.core.errors import DataError, PlanError, UnknownName
from vesalius.core.image import Image
from vesalius.core.plan import Plan


@pytest.fixture(scope="module")
def cines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten cines of six frames or seven, with a bright square that goes up or down."""
    folder, rng = tmp_path_factory.mktemp("cines"), np.random.default_rng(0)
    for k in range(10):
        way, frames = ("up", "down")[k % 2], 6 + k // 2 % 2
        array = rng.normal(0, 0.1, (frames, 1, 1, 16, 16)).astype(np.float32)
        for t in range(frames):
            at = 2 * (t if k % 2 else frames - 1 - t)
            array[t, 0, 0, at : at + 3, 6:10] += 2
        times = tuple(0.1 * t for t in range(frames))
        (folder / way).mkdir(exist_ok=True)
        formats.write(Image(array, affine=np.eye(4), times_s=times), folder / way / f"c{k:02d}.nii.gz")
    return folder


def planned(cines: Path, **settings: Any) -> Plan:
    wanted = {k.replace("__", "."): v for k, v in settings.items()}
    plan: Plan = vs.fit(cines, settings={"train.steps": 2, **wanted}, dry_run=True).plan
    return plan


def test_options_of_the_net_over_time_are_the_users_to_set(cines: Path) -> None:
    settings = {"nets__time__name": "tcn", "nets__time__options__causal": False, "nets__time__scale": 0.25}
    time = planned(cines, **settings).nets["time"]
    assert (time.name, time.options, time.scale) == ("tcn", {"causal": False}, 0.25)


def test_a_net_that_sees_all_frames_needs_none_that_reads_them_in_order(cines: Path) -> None:
    plan = planned(cines, net__name="r2plus1d", net__scale=0.0625)
    assert plan.nets == {} and plan.sources.frames > 1
    assert not [path for path in plan.reasons if path.startswith("nets.")]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"nets__time__name": "resnet-18"}, "role encoder, where sequence is needed; try: bigru, bilstm"),
        ({"nets__time__name": "r2plus1d"}, "role cine, where sequence is needed"),
        ({"nets__time__name": "gruu"}, "unknown net 'gruu'; try: closest: gru"),
        ({"nets__time__name": "treelstm"}, "reads trees"),
        ({"nets__time__options__causal": False}, "unknown option of net gru 'causal'; try: one of layers, times"),
        (
            {"nets__time__name": "tcn", "nets__time__options__causal": "maybe"},
            "nets.time.options.causal must be true or false; found 'maybe'; try: nets.time.options.causal=true",
        ),
        ({"nets__time__name": "tcn", "nets__time__options__levels": 0}, "nets.time.options.levels must be at least 1"),
        ({"nets__time__options__times": "days"}, "nets.time.options.times must be one of both, gap, none"),
        ({"net__name": "gru"}, "sees no image itself; found net.name=gru; try: --set nets.time.name=gru"),
        ({"net__name": "r2plus1d", "nets__time__name": "bigru"}, "sees all frames at once"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_line(cines: Path, settings: dict[str, Any], words: str) -> None:
    with pytest.raises((PlanError, UnknownName)) as raised:
        planned(cines, **settings)
    assert words in str(raised.value) and "\n" not in str(raised.value)


def test_which_nets_look_ahead_is_known_without_building_them() -> None:
    for name in nets.names_for("sequence", over="vectors"):
        for options in [{"causal": c} for c in (True, False)] if name in ("tcn", "timeformer") else [{}]:
            net: Any = nets.build(name, dims=2, in_channels=1, scale=0.125, options=options)
            assert nets.looks_ahead(name, options) != net.causal
    assert not nets.looks_ahead("tcn") and nets.looks_ahead("bigru")


def test_time_courses_without_an_image_are_read_by_a_net_over_time_and_another_name_is_no_matter(
    tmp_path: Path,
) -> None:
    rng, rows = np.random.default_rng(0), ["patient,image,dose"]
    for k in range(10):
        lines = [f"{0.5 * t},{rng.normal():.3f},{rng.normal():.3f}" for t in range(12 + k % 3)]
        (tmp_path / f"c{k}.csv").write_text("time_s,a,b\n" + "\n".join(lines) + "\n")
        rows.append(f"P{k},c{k}.csv,{rng.normal():.2f}")
    (tmp_path / "cohort.csv").write_text("\n".join(rows) + "\n")
    told = {"course": "image", "value": "dose"}
    run = vs.fit(
        tmp_path / "cohort.csv", tmp_path / "run", target="dose", columns=told,
        settings={"train.steps": 2, "train.members": 1, "train.folds": 2, "train.threads": 1},
    )  # fmt: skip
    assert run.plan.net.name == "gru" and run.plan.sources.courses == ("image",)
    comma, semicolon = tmp_path / "c3.csv", tmp_path / "other.csv"
    semicolon.write_text(comma.read_text().replace(",", ";").replace(".", ","))
    assert vs.predict(run, semicolon).x == vs.predict(run, comma).x
    slow, bare = tmp_path / "slow.csv", tmp_path / "bare.csv"
    rows = [line.split(",") for line in comma.read_text().splitlines()]
    slow.write_text("\n".join(",".join(["time_min", *r[1:]] if r[0] == "time_s" else r) for r in rows) + "\n")
    bare.write_text("\n".join(",".join(r[1:]) for r in rows) + "\n")
    assert not vs.predict(run, comma).outside
    assert vs.predict(run, slow).outside == ("rows of 'image' 30 s apart; learned: 0.5 s",)
    assert vs.predict(run, bare).outside == (
        "rows of 'image' say no times and are taken as 1 s apart; learned: 0.5 s",
    )
    fallen = tmp_path / "fallen.csv"
    fallen.write_text("\n".join([*comma.read_text().splitlines(), "0.1,1,2"]) + "\n")
    with pytest.raises(DataError, match=r"fallen.csv: the times in 'time_s' fall"):
        vs.predict(run, fallen)
