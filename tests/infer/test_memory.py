"""A declared memory: the answer is that of plenty, and one that cannot do is refused with the least that can."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.infer.test_predictor import TURNED, made_of, masks, plan
from torch import Tensor, nn

from vesalius import formats
from vesalius.core import scratch
from vesalius.core.answers.mask import Mask
from vesalius.core.bundle import Stage
from vesalius.core.case import Case, Ref
from vesalius.core.errors import BudgetError
from vesalius.core.image import Image
from vesalius.core.plan import InferPlan, Normalisation
from vesalius.core.promise import LEVELS
from vesalius.infer import columns, fitting, folding, tiles
from vesalius.infer.predictor import Predictor

GIB = 1 << 30


class Here(nn.Module):
    """Says labels by the neighbourhood of a voxel, and a little by its place in the tile."""

    def __init__(self, labels: int, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.look = nn.Conv3d(1, labels + 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.look(x) + 0.2 * torch.linspace(-1, 1, x.shape[-2])[:, None]
        return found


class Headed(nn.Module):
    """A net of two channels with a last layer of one point, and, where `scaled`, something after it."""

    def __init__(self, labels: int, seed: int = 0, scaled: float = 1.0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.net, self.head = Here(1, seed), nn.Conv3d(2, labels + 1, 1)
        self.scaled = scaled

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.scaled * self.head(self.net(x))
        return found


def volume(shape: tuple[int, int, int] = (21, 18, 19), affine: Any = TURNED) -> Image:
    values = np.random.default_rng(3).normal(100, 400, (1, *shape))
    return Image(values.astype(np.int16), affine=affine)


def stage(**given: Any) -> Stage:
    infer = {"infer": InferPlan(**given.pop("infer", {}))}
    norm = {"normalise": (Normalisation(method="zscore", low=-300, high=700),)}
    made = plan("segment", **given)
    data = made.data.model_copy(update=norm)
    return Stage("segment", made.model_copy(update={**infer, "data": data}), masks((1, 2, 5)), ("w",))


@pytest.fixture
def cramped(monkeypatch: pytest.MonkeyPatch) -> list[columns.Cut]:
    """Leave room for half a slab alone, lay all arrays into files, and note how fields are cut."""
    cuts: list[columns.Cut] = []
    real = columns.cut

    def cut(grid: columns.Grid, channels: int, *, most: int, room: int) -> columns.Cut | None:
        found = real(grid, channels, most=columns.whole(grid).takes(channels) // 2, room=room)
        cuts.extend([found] if found is not None else [])
        return found

    monkeypatch.setattr(columns, "cut", cut)
    monkeypatch.setattr(fitting, "large", lambda memory: None if memory is None else 1)
    monkeypatch.setattr(scratch, "CHUNK", 5000)
    return cuts


def spared(predictor: Predictor) -> Predictor:
    predictor.memory = 64 * GIB
    return predictor


def same(found: Any, want: Any) -> None:
    assert isinstance(found, Mask) and isinstance(want, Mask)
    assert found.image.array.dtype == want.image.array.dtype
    assert np.array_equal(found.image.affine, want.image.affine)
    assert (found.image.array != want.image.array).mean() < 1e-3
    assert len(np.unique(want.image.array)) > 2, "not of one label alone"


@pytest.mark.parametrize("room", [None, 0])
@pytest.mark.parametrize(
    "given",
    [
        {},
        {"spacing_mm": (1.3, 1.1, 0.9)},
        {"infer": {"mirror": ("z", "x"), "batch": 3}},
        {"infer": {"tiling": "nnunet", "overlap": 0.4}, "size": (7, 6, 8)},
        {"size": (30, 8, 8)},
    ],
    ids=["plain", "resampled", "mirrored", "as nnU-Net", "padded"],
)
def test_a_volume_is_answered_alike(
    given: dict[str, Any], room: int | None, cramped: list[columns.Cut], monkeypatch: pytest.MonkeyPatch
) -> None:
    if room is not None:
        monkeypatch.setattr(scratch, "room", lambda: GIB if room is None else room)
        monkeypatch.setattr(fitting, "large", lambda memory: None)
    case = Case("c", {"image": volume()})
    want = made_of((stage(**given), (Here(3),)))(case)
    cramped.clear()
    found = spared(made_of((stage(**given), (Here(3),))))(case)
    assert [(c.whole, c.kept) for c in cramped] == [(False, room is None)]
    same(found, want)


def test_members_levels_and_planes(cramped: list[columns.Cut]) -> None:
    both = (Here(3), Here(3, 1))
    one = replace(stage(spacing_mm=(1.3, 1.1, 0.9)), members=("a", "b"))
    first, second = made_of((one, both)), spared(made_of((one, both)))
    first.levels = second.levels = True
    case = Case("c", {"image": volume()})
    want, found = first(case), second(case)
    same(found, want)
    apart = found.parts[LEVELS].image.array.astype(int) - want.parts[LEVELS].image.array  # type: ignore[union-attr]
    assert np.abs(apart).max() <= 1 and (apart != 0).mean() < 1e-3

    flat = stage(dims=2, size=(1, 8, 8))
    plane = Case("c", {"image": volume((1, 40, 33), np.eye(4))})
    same(spared(made_of((flat, (Here(3),))))(plane), made_of((flat, (Here(3),)))(plane))


@pytest.mark.parametrize("scaled", [1.0, -2.0])
@pytest.mark.parametrize("levels", [False, True])
def test_the_last_layer_is_put_on_the_blended_map_where_that_is_the_same(
    scaled: float, levels: bool, cramped: list[columns.Cut], monkeypatch: pytest.MonkeyPatch
) -> None:
    channels: list[int] = []
    real = tiles.blend

    def noted(asking: tiles.Asking, *args: Any, **how: Any) -> Any:
        channels.append(asking.channels)
        return real(asking, *args, **how)

    one = replace(stage(spacing_mm=(1.3, 1.1, 0.9), infer={"mirror": ("y",)}), members=("a",))
    both = (Headed(5, 0, scaled),)
    state = masks((1, 2, 3, 4, 5))
    one = replace(one, state=state)
    case = Case("c", {"image": volume()})
    first, second = made_of((one, both)), spared(made_of((one, both)))
    first.levels = second.levels = levels
    want = first(case)
    monkeypatch.setattr(tiles, "blend", noted)
    monkeypatch.setattr(folding, "_BYTES", 4000)
    found = second(case)
    same(found, want)
    assert set(channels) == ({2} if scaled == 1.0 else {6}), "what comes after the last layer is seen"
    assert isinstance(both[0].head, nn.Conv3d) and both[0].head.out_channels == 6, "the model stays as it is"
    if levels:
        apart = found.parts[LEVELS].image.array.astype(int) - want.parts[LEVELS].image.array  # type: ignore[attr-defined]
        assert np.abs(apart).max() <= 1


def test_many_labels_are_not_counted_in_a_byte(cramped: list[columns.Cut]) -> None:
    one = replace(stage(), state=masks(tuple(range(1, 301))))
    models = (Headed(300),)
    torch.nn.init.normal_(models[0].head.bias, std=3.0)
    case = Case("c", {"image": volume((20, 12, 12))})
    want, found = made_of((one, models))(case), spared(made_of((one, models)))(case)
    same(found, want)
    assert want.image.array.max() > 255  # type: ignore[attr-defined]


def test_two_members_are_folded_into_one_matrix() -> None:
    models = (Headed(8), Headed(8, 1))
    given = made_of((replace(stage(), members=("a", "b"), state=masks(tuple(range(1, 9)))), models)).last
    found = folding.folded(given, 9)
    assert found is not None and found.channels == 4
    x = torch.randn(2, 1, 8, 8, 8)
    maps = torch.cat([m.models[0](x) for m in found.members], dim=1)
    raw = (models[0](x) + models[1](x)) / 2
    assert found.agrees(maps, raw) and not found.agrees(maps, raw + 0.1)
    assert folding.folded(given, 8) is None, "not the last layer of this field"
    assert folding.folded(replace(given, models=models * 2), 9) is None, "eight channels of nine gain nothing"


def test_a_stage_that_looks_at_a_part(cramped: list[columns.Cut]) -> None:
    second = replace(stage(), takes={"stage": 0, "as": "crop", "margin_mm": 1.0})
    both = ((replace(stage(), name="first"), (Here(3),)), (replace(second, name="second"), (Here(3, 2),)))
    case = Case("c", {"image": volume()})
    want, found = made_of(*both)(case), spared(made_of(*both))(case)
    same(found, want)
    same(found.parts["first"], want.parts["first"])


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".mha", ".nrrd"])
def test_files_are_read_into_files_and_stay_as_they_are(
    suffix: str, tmp_path: Path, cramped: list[columns.Cut]
) -> None:
    if suffix == ".nrrd":  # which is read only
        nrrd = pytest.importorskip("nrrd")
        nrrd.write(str(tmp_path / "a.nrrd"), np.ascontiguousarray(volume().array[0].T))
        path = tmp_path / "a.nrrd"
    else:
        path = formats.write(volume(), tmp_path / f"a{suffix}")
    before = path.read_bytes()
    plain = formats.read(path)
    with scratch.for_large(1):
        held = formats.read(path)
    assert scratch.in_file(held.array) and not scratch.in_file(plain.array)
    assert held.array.dtype == plain.array.dtype and np.array_equal(held.array, plain.array)
    case = Case("c", {"image": Ref((path,))})
    same(spared(made_of((stage(), (Here(3),))))(case), made_of((stage(), (Here(3),)))(case))
    assert path.read_bytes() == before


def test_a_scaled_file_too(tmp_path: Path) -> None:
    nib = pytest.importorskip("nibabel")
    image = nib.Nifti1Image(volume().array[0].T.astype(np.int16), np.eye(4))
    image.header.set_slope_inter(0.5, -3)
    nib.save(image, tmp_path / "a.nii")
    plain = formats.read(tmp_path / "a.nii")
    with scratch.for_large(1):
        held = formats.read(tmp_path / "a.nii")
    assert scratch.in_file(held.array) and np.array_equal(held.array, plain.array)


def test_a_memory_that_cannot_do_is_refused_with_the_least_that_can(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case("c", {"image": volume()})
    predictor = made_of((stage(), (Here(3),)))
    monkeypatch.setattr(fitting, "resident", lambda: 3 * GIB)  # all that the rest of the process holds
    predictor.memory = 3 * GIB
    with pytest.raises(BudgetError, match=r"does not fit into a memory of 3.00 GiB") as refused:
        predictor(case)
    said = re.search(r"at least (\d+\.\d+) GiB", str(refused.value))
    assert said is not None
    predictor.memory = int(float(said[1]) * GIB)
    assert isinstance(predictor(case), Mask)


def test_a_limit_on_the_process_counts_as_declared(
    cramped: list[columns.Cut], monkeypatch: pytest.MonkeyPatch
) -> None:
    case = Case("c", {"image": volume()})
    want = made_of((stage(), (Here(3),)))(case)
    assert not cramped
    monkeypatch.setattr("vesalius.plan.machine.declared_memory", lambda: 32 * GIB)
    same(made_of((stage(), (Here(3),)))(case), want)
    assert len(cramped) == 1 and not cramped[0].whole


def test_without_a_declared_memory_nothing_lies_in_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch, "_in_file", None)
    assert isinstance(made_of((stage(), (Here(3),)))(Case("c", {"image": volume()})), Mask)


def test_what_the_machine_does_not_have_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case("c", {"image": volume((26, 20, 20), np.eye(4))})
    grid = columns.Grid((26, 20, 20), (8, 8, 8), ((0,), (0,), (0,)))
    free = columns.whole(grid).takes(4)
    cuts: list[columns.Cut] = []
    real = fitting.fitted
    want = made_of((stage(), (Here(3),)))(case)
    monkeypatch.setattr(fitting.machines, "free_memory", lambda: free)

    def noted(*args: Any, **how: Any) -> Any:
        found = real(*args, **how)
        cuts.append(found.cut)
        return found

    monkeypatch.setattr("vesalius.infer.runs.dense.fitted", noted)
    same(made_of((stage(), (Here(3),)))(case), want)
    assert not cuts[0].whole
