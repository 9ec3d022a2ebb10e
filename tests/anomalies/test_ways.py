"""Ways to learn what is normal: what each finds, against the formulas computed by hand on a tiny net."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial import distance
from torch import Tensor, nn

from vesalius.anomalies import KIND, build
from vesalius.anomalies._coreset import Reservoir, covering
from vesalius.anomalies._features import Features, rows_of
from vesalius.core import registry
from vesalius.nets._net import Net

SIZE = (1, 32, 32)


class Tiny(Net):
    """Two maps: the image averaged over 2 × 2 places with its square, and coarser ones."""

    def __init__(self, dims: int = 2) -> None:
        super().__init__(dims, (2, 2), strides=(2, 4))
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> list[Tensor]:
        pool = nn.functional.avg_pool2d if self.dims == 2 else nn.functional.avg_pool3d
        return [torch.cat([pool(x, k), pool(x * x, k)], 1) * self.scale for k in self._kernels()]

    def _kernels(self) -> tuple[int, int]:
        return 2, 4


def images(n: int, *, seed: int = 0, size: tuple[int, int, int] = SIZE) -> Tensor:
    return torch.randn(n, 1, *size, generator=torch.Generator().manual_seed(seed))


def with_square(x: Tensor) -> Tensor:
    changed = x.clone()
    changed[:, :, :, 12:20, 12:20] += 6
    return changed


def learned(name: str, normal: Tensor, **options: Any) -> Any:
    torch.manual_seed(0)
    size = (int(normal.shape[2]), int(normal.shape[3]), int(normal.shape[4]))
    model = build(name, Tiny(), size=size, channels=1, cases=len(normal), options=options)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for part in normal.split(4):
            model.see(part, generator)
        model.settle(generator)
    return model.eval()


def test_each_way_has_a_recipe_of_its_name() -> None:
    assert set(registry.names(KIND)) == {"patchcore", "padim", "student", "vae"}
    assert set(registry.names(KIND)) <= set(registry.names("learn.recipes"))


@pytest.mark.parametrize("name", ["patchcore", "padim"])
def test_a_square_that_no_normal_image_has_is_found_where_it_is(name: str) -> None:
    model = learned(name, images(24))
    plain = images(6, seed=1)
    with torch.no_grad():
        before, after = model(plain), model(with_square(plain))
    assert after[:, 0, 0, 0].min() > before[:, 0, 0, 0].max()
    peak = after[:, 1].flatten(1).argmax(1)
    rows, columns = peak // after.shape[-1], peak % after.shape[-1]
    assert ((rows >= 5) & (rows <= 10) & (columns >= 5) & (columns <= 10)).all()


def test_patchcore_is_the_distance_to_the_nearest_row_of_its_bank() -> None:
    model = learned("patchcore", images(8), most=64)
    with torch.no_grad():
        rows = rows_of(model.features(images(2, seed=3)))
        nearest = distance.cdist(rows.numpy(), model.bank[: int(model.held)].numpy()).min(axis=1)
        field = torch.from_numpy(nearest.reshape(2, 1, 16, 16))
        ought = nn.functional.avg_pool2d(field, 3, 1, 1, count_include_pad=False)
        found = model.places(images(2, seed=3))
    assert int(model.held) == 64
    np.testing.assert_allclose(found.numpy(), ought.numpy(), rtol=1e-3, atol=1e-4)


def test_padim_is_the_mahalanobis_distance_of_numpy() -> None:
    normal, new = images(30), images(2, seed=4)
    model = learned("padim", normal, ridge=1e-6)
    with torch.no_grad():
        seen = model.features(normal)[:, model.chosen].flatten(2).double().numpy()  # (N, D, P)
        asked = model.features(new)[:, model.chosen].flatten(2).double().numpy()
        found = model.places(new)
    field = np.empty((2, 256))
    for p in range(256):
        inverse = np.linalg.inv(np.cov(seen[:, :, p].T))
        field[:, p] = [distance.mahalanobis(a[:, p], seen[:, :, p].mean(0), inverse) for a in asked]
    ought = nn.functional.avg_pool2d(
        torch.from_numpy(field.reshape(2, 1, 16, 16)), 3, 1, 1, count_include_pad=False
    )
    np.testing.assert_allclose(found.numpy(), ought.numpy(), rtol=5e-3)


@pytest.mark.parametrize("name", ["student", "vae"])
def test_a_way_with_a_gradient_learns(name: str) -> None:
    torch.manual_seed(0)
    model = build(name, Tiny(), size=SIZE, channels=1, cases=8, options={"width": 8})
    optimiser = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    x, losses = images(8), []
    for _ in range(12):
        terms = model.loss(x, torch.Generator().manual_seed(0))
        total = torch.stack(list(terms.values())).sum()
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        losses.append(float(total.detach()))
    assert losses[-1] < 0.9 * losses[0]
    found = model.eval()(x)
    assert found.shape[0] == 8 and (found >= 0).all()


def test_weights_to_begin_from_are_the_teachers_alone() -> None:
    from vesalius.learn.weights import placed

    model = build("student", Tiny(), size=SIZE, channels=1, cases=8, options={"width": 8})
    with pytest.raises(Exception, match="none of the given weights fits"):
        placed(model, {"scale": torch.tensor(2.0)})  # a number alone teaches nothing
    names = [n for n, m in model.named_modules() if isinstance(m, Net)]
    assert names == ["features.net"]


def test_a_volume_is_seen_slice_by_slice_by_a_net_of_two_dimensions() -> None:
    size = (6, 32, 32)
    features = Features(Tiny(), size, 1)
    x = images(2, size=size)
    found = features(x)
    assert features.grid == (6, 16, 16) and found.shape == (2, 5, 6, 16, 16)
    moved = features(x.flip(2))
    torch.testing.assert_close(moved, found.flip(2), rtol=1e-4, atol=1e-5)


def test_the_greedy_core_set_covers_within_twice_the_best() -> None:
    rows = torch.cat([torch.randn(50, 3) * 0.01 + centre for centre in (0.0, 5.0, 10.0, 15.0)])
    chosen = covering(rows, 4, torch.Generator().manual_seed(0))
    assert sorted(int(k) // 50 for k in chosen) == [0, 1, 2, 3]
    assert covering(rows[:3], 4, torch.Generator()).tolist() == [0, 1, 2]


def test_the_sample_is_even_and_bounded() -> None:
    generator, counts = torch.Generator().manual_seed(0), np.zeros(10)
    for _ in range(200):
        held = Reservoir(20)
        for k in range(10):
            held.add(torch.full((10, 1), float(k)), generator)
        assert held.seen == 100 and len(held.rows) == 20
        counts += np.bincount(held.rows[:, 0].long().numpy(), minlength=10)
    assert abs(counts / 200 - 2).max() < 4 * np.sqrt(2 * 0.8 * 0.9 / 200)  # 2 of each tenth, by chance


def test_a_model_of_slices_is_laid_out_in_memory_as_its_net_is() -> None:
    from types import SimpleNamespace
    from typing import cast

    from vesalius.core.bundle import State
    from vesalius.core.plan import Plan
    from vesalius.learn.stepper import build as built
    from vesalius.tasks import contract

    task = contract.get("anomaly")
    data = SimpleNamespace(dims=3, size=(8, 32, 32), inputs=1)
    net = SimpleNamespace(name="resnet-10", scale=0.125, dropout=0.0, options={})
    train = SimpleNamespace(recipe="patchcore", recipe_options={}, seed=0, lora=0)
    asked = SimpleNamespace(name="anomaly", options={"slices": True})
    none = SimpleNamespace(joined=False, frames=0)
    plan = cast("Plan", SimpleNamespace(data=data, net=net, train=train, task=asked, sources=none, nets={}))
    model = built(task, plan, State({"cases": 4}), 0)
    assert {p.ndim for p in model.parameters() if p.ndim > 3} == {4}
    found = model.eval()(torch.zeros(2, 1, 8, 32, 32))
    assert found.shape[:2] == (2, 9)
