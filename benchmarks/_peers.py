"""Explainers beside the packages lime, shap and captum, in their environment: the same answers, and the time of each.

Run as `PYTHON -m benchmarks._peers MANY FEW SIZE SCALE` by `explain_peers`, where PYTHON has the packages; it prints
one JSON document. Answers are compared with MANY samples of a small net and a small picture, times with FEW samples of
a picture of SIZE pixels and a net of SCALE.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy import stats

from benchmarks._asked import Classifier, asked
from vesalius.explain import methods
from vesalius.explain.contract import Setting
from vesalius.explain.methods.lime import line
from vesalius.explain.methods.shap import shares
from vesalius.explain.pieces import cut, means
from vesalius.explain.question import Question
from vesalius.explain.stand_in import stand_in

PIECES, TIMES, SMALL = 20, 3, 64
Times = tuple[float, float]  # ours, the package's


def main() -> int:
    """Compare each method with its package, and print what was found: how alike they are, and the time of each."""
    warnings.filterwarnings("ignore")
    many, few, size, scale = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    alike = [compare(*_asked(many, SMALL, 0.25)) for compare in ALL]
    timed = [compare(*_asked(few, size, scale)) for compare in ALL]
    seconds = ("ours_s", "theirs_s")
    found = [one | {name: two[name] for name in seconds} for one, two in zip(alike, timed, strict=True)]
    print(json.dumps(found))
    return 0


def _asked(samples: int, size: int, scale: float) -> tuple[Question, Setting]:
    net = Classifier("resnet-18", dims=2, channels=3, size=(size, size), scale=scale)
    for parameter in net.parameters():
        parameter.requires_grad_(False)
    question = asked(net, size=size, channels=3)
    return question, Setting(stand_in(question, "mean"), samples, 0, PIECES)


def _result(name: str, package: str, ours: Any, theirs: Any, times: Times) -> dict[str, Any]:
    r = float(stats.spearmanr(np.ravel(ours), np.ravel(theirs)).statistic)
    return {"method": name, "package": package, "r": r, "ours_s": times[0], "theirs_s": times[1]}


def _both(question: Question, ours: Callable[[], Any], theirs: Callable[[], Any]) -> tuple[Any, Any, Times]:
    """Return what both give, and the least processor seconds for each image that the net saw, over turns."""
    net: Any = question.models[0]
    times: list[Times] = []
    for _ in range(TIMES):
        net.images, begun = 0, time.process_time()
        one = ours()
        ours_s = (time.process_time() - begun) / max(net.images, 1)
        net.images, begun = 0, time.process_time()
        other = theirs()
        times.append((ours_s, (time.process_time() - begun) / max(net.images, 1)))
    return one, other, (min(a for a, _ in times), min(b for _, b in times))


def _numpy_answers(question: Question) -> Callable[[Any], Any]:
    """Return what the packages call: pictures `(N, Y, X, C)` → logits `(N, 1)`."""

    def answers(pictures: Any) -> Any:
        images = torch.from_numpy(np.moveaxis(np.asarray(pictures, np.float32), -1, 1)).contiguous()[
            :, :, None
        ]
        with torch.inference_mode():
            return question(images).double().numpy()[:, None]

    return answers


def lime(question: Question, setting: Setting) -> dict[str, Any]:
    """LIME with our segments, and with our samples: its own random state is made to draw them."""
    from lime.lime_image import LimeImageExplainer

    pieces = cut(question, setting.away, about=setting.pieces)
    kept = setting.random().integers(0, 2, (setting.samples, pieces.count))

    class Same(np.random.RandomState):
        def randint(self, *words: Any, **named: Any) -> Any:  # type: ignore[override]
            return kept.ravel().copy()

    picture = np.moveaxis(question.image[:, 0].numpy(), 0, -1).astype(np.float64)
    explainer = LimeImageExplainer(random_state=Same(0))

    def theirs() -> Any:
        explainer.base.random_state = np.random.RandomState(0)
        found = explainer.explain_instance(
            picture, _numpy_answers(question), labels=(0,), top_labels=None, hide_color=0, num_samples=setting.samples,
            num_features=100000, batch_size=16, segmentation_fn=lambda _: pieces.numbers[0],
        )  # fmt: skip
        weights = np.zeros(pieces.count)
        for k, v in found.local_exp[0]:
            weights[k] = v
        return weights

    ours, other, seconds = _both(
        question, lambda: methods.get("lime").attribute(question, setting).field, theirs
    )
    same = kept.astype(bool)
    same[0] = True
    weights, _ = line(same, question.each(pieces.changed(same)))
    assert np.allclose(weights, means(pieces.numbers, ours), atol=1e-5)
    return _result("lime", "lime", weights, other, seconds)


def kernel(question: Question, setting: Setting) -> dict[str, Any]:
    """Kernel SHAP with our segments; our values are computed from the package's own coalitions."""
    import shap

    pieces = cut(question, setting.away, about=setting.pieces)

    def answers(kept: Any) -> Any:
        return question.each(pieces.changed(np.asarray(kept) > 0.5))

    explainer = shap.KernelExplainer(answers, np.zeros((1, pieces.count)))

    def theirs() -> Any:
        np.random.seed(0)
        ones = np.ones((1, pieces.count))
        every = f"num_features({pieces.count})"
        return np.ravel(explainer.shap_values(ones, nsamples=setting.samples, silent=True, l1_reg=every))

    _, other, seconds = _both(
        question, lambda: methods.get("shap-kernel").attribute(question, setting).field, theirs
    )
    n = explainer.nsamplesAdded
    kept, weights = explainer.maskMatrix[:n] > 0.5, explainer.kernelWeights[:n]
    whole, nothing = float(explainer.fx[0]), float(explainer.fnull[0])
    same = shares(kept, np.ravel(explainer.ey[:n]), whole=whole, nothing=nothing, weights=weights)
    return _result("shap-kernel", "shap", same, other, seconds)


class _Flat(torch.nn.Module):
    """The net as the packages call it: pictures `(N, C, Y, X)` → logits `(N, 1)`."""

    def __init__(self, question: Question) -> None:
        super().__init__()
        self.model = question.models[0]

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.model(pictures[:, :, None])[:, 1:]
        return found


def gradients(question: Question, setting: Setting) -> dict[str, Any]:
    """Expected gradients from the beginnings that ours has, by their sums over pieces: both draw for themselves."""
    import shap

    from vesalius.explain.stand_in import blurred

    image, pieces = question.image, cut(question, setting.away, about=setting.pieces)
    begins = torch.stack([setting.away, blurred(image, share=0.03), torch.zeros_like(image)])[:, :, 0]
    explainer = shap.GradientExplainer(_Flat(question), begins, batch_size=16)

    def theirs() -> Any:
        found = explainer.shap_values(image[None, :, 0], nsamples=setting.samples, rseed=0)
        return np.asarray(found).reshape(image.shape).sum(axis=0)

    ours, other, seconds = _both(
        question, lambda: methods.get("shap-gradient").attribute(question, setting).field, theirs
    )
    one, two = (means(pieces.numbers, f) for f in (ours, other))
    return _result("shap-gradient", "shap", one, two, seconds)


def integrated(question: Question, setting: Setting) -> dict[str, Any]:
    """Integrated gradients with as many steps, voxel by voxel."""
    from captum.attr import IntegratedGradients

    explainer = IntegratedGradients(_Flat(question))
    steps = min(setting.samples, 50)

    def theirs() -> Any:
        found = explainer.attribute(
            question.image[None, :, 0], baselines=setting.away[None, :, 0], target=0, n_steps=steps,
            method="riemann_middle", internal_batch_size=16,
        )  # fmt: skip
        return found.detach().numpy()[0].sum(axis=0)

    own = Setting(setting.away, steps)
    found = _both(
        question, lambda: methods.get("integrated-gradients").attribute(question, own).field, theirs
    )
    return _result("integrated-gradients", "captum", *found)


def occlusion(question: Question, setting: Setting) -> dict[str, Any]:
    """Occlusion with windows of the same size and stride, by means over pieces: captum's begin at the edge."""
    from captum.attr import Occlusion

    from vesalius.explain.methods.occlusion import blocks

    shape = tuple(question.image.shape[1:])
    places = blocks(shape, setting.samples)
    stride = places[-1][2].start - places[-2][2].start
    middle = places[len(places) // 2][1]
    window = middle.stop - middle.start
    explainer = Occlusion(_Flat(question))
    channels = question.image.shape[0]

    def theirs() -> Any:
        found = explainer.attribute(
            question.image[None, :, 0], strides=(channels, stride, stride), baselines=setting.away[None, :, 0],
            sliding_window_shapes=(channels, window, window), target=0, perturbations_per_eval=16,
        )  # fmt: skip
        return found.detach().numpy()[0].mean(axis=0)

    ours, other, seconds = _both(
        question, lambda: methods.get("occlusion").attribute(question, setting).field, theirs
    )
    numbers = cut(question, setting.away, about=setting.pieces).numbers
    return _result("occlusion", "captum", means(numbers, ours), means(numbers, other), seconds)


def gradcam(question: Question, setting: Setting) -> dict[str, Any]:
    """Grad-CAM on the last map, brought to the picture's grid by the package's own interpolation."""
    from captum.attr import LayerAttribution, LayerGradCam

    net = question.models[0].net

    class Last(torch.nn.Module):
        """The last map by itself, as captum hooks one tensor."""

        def forward(self, maps: list[torch.Tensor]) -> torch.Tensor:
            return maps[-1]

    class Whole(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net, self.last, self.head = net, Last(), question.models[0].head

        def forward(self, pictures: torch.Tensor) -> torch.Tensor:
            last = self.last(self.net(pictures))
            found: torch.Tensor = self.head([last])[:, 1:]
            return found

    whole = Whole().eval()
    explainer = LayerGradCam(whole, whole.last)
    size = tuple(question.image.shape[2:])

    def theirs() -> Any:
        picture = question.image[None, :, 0].clone().requires_grad_(True)
        found = explainer.attribute(picture, target=0, relu_attributions=True)
        return LayerAttribution.interpolate(found, size, "bilinear").detach().numpy()[0, 0]

    found = _both(question, lambda: methods.get("gradcam").attribute(question, setting).field, theirs)
    return _result("gradcam", "captum", *found)


ALL = (lime, kernel, gradients, integrated, occlusion, gradcam)

if __name__ == "__main__":
    sys.exit(main())
