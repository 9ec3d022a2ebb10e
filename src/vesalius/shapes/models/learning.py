"""Learning a shape model: a template, correspondence, what is left out and why, and the modes of the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vesalius.core.answers.surface import Surface
from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.core.words import counted, listed
from vesalius.shapes.models.aligning import apart, procrustes, starts
from vesalius.shapes.models.cloud import SAMPLES, Cloud, cloud_of
from vesalius.shapes.models.kernel import smooth_columns
from vesalius.shapes.models.model import ShapeModel
from vesalius.shapes.models.modes import SHARE, Modes, modes_of, procrustes_all
from vesalius.shapes.models.registering import Registered, Template, register, template_of

LEAST = 5  # shapes
CANDIDATES = 20  # of which the template is chosen
ROUNDS = 2  # of registration: to the medoid, then to the mean
SIZES = 4.0  # how many times larger or smaller than the usual one a shape can be
RESIDUAL = 0.02  # of the size: how far a registered template may stay from a shape
TIMES = 3.0  # the usual residual that a registration may have
FOLDED = 0.05  # of the faces that may turn over
UNUSUAL = 8.0  # robust standard deviations from the median shape
SMOOTH = (0.25, 24)  # of the size: how wide further movements are; and how many columns they have
Keep = Callable[
    [str, str, Callable[[], Registered]], Registered
]  # round, name, what is done where it is not kept


@dataclass(frozen=True, eq=False)
class Corresponding:
    """Shapes in correspondence: `points` `(n, V, 3)` in mm laid upon one another, in the order of `names`.

    `clouds` are the shapes themselves, each laid where its points are. `left_out` says why others are not among them,
    and `notes` what must be read with what is learned.
    """

    names: tuple[str, ...]
    points: Array
    clouds: tuple[Cloud, ...]
    faces: Array
    residuals_mm: Mapping[str, float]
    left_out: Mapping[str, str]
    notes: tuple[str, ...]
    sizes: bool
    turned: bool


def correspond(
    shapes: Mapping[str, Surface],
    mesh: Callable[[Surface], Surface],
    *,
    samples: int = SAMPLES,
    sizes: bool = False,
    turned: bool = False,
    keep_unusual: bool = False,
    keep: Keep | None = None,
) -> Corresponding:
    """Return the shapes in correspondence, found by smooth registration of a template: the medoid, then the mean.

    `mesh` makes of a surface a template's: fewer vertices, still watertight. So many `samples` of each are compared.
    `keep` gives back a registration that was done before. With `turned` the shapes' directions are not those of
    LPS and are found; with `sizes` size is taken out.

    Raises DataError where fewer than five shapes are left.
    """
    clouds = {name: cloud_of(one, samples=samples) for name, one in shapes.items()}
    left: dict[str, str] = _misfits(clouds)
    clouds = {name: cloud for name, cloud in clouds.items() if name not in left}
    _assert_enough(clouds, left)
    medoid = _medoid(clouds, turned=turned)
    first = mesh(shapes[medoid])
    template = template_of(_centred(np.asarray(first.vertices_mm, float)), np.asarray(first.faces))
    found: dict[str, Registered] = {}
    for k in range(ROUNDS):
        found = {}
        for name, cloud in clouds.items():
            done = _doer(template, cloud, turned, sizes)
            found[name] = done() if keep is None else keep(str(k), name, done)
        left |= _failed(found, template)
        clouds = {name: cloud for name, cloud in clouds.items() if name not in left}
        _assert_enough(clouds, left)
        laid = procrustes_all(np.stack([found[name].vertices_mm for name in clouds]), sizes=sizes)
        if not keep_unusual:
            outside = _outside(laid, tuple(clouds))
            left |= outside
            laid = laid[[name not in outside for name in clouds]]
            clouds = {name: cloud for name, cloud in clouds.items() if name not in outside}
            _assert_enough(clouds, left)
        template = template_of(laid.mean(axis=0), template.faces)
    names = tuple(clouds)
    laid = procrustes_all(np.stack([found[name].vertices_mm for name in names]), sizes=sizes)
    placed = tuple(
        procrustes(found[name].vertices_mm, one, sizes=sizes).cloud(clouds[name])
        for name, one in zip(names, laid, strict=True)
    )
    residuals = {name: found[name].residual_mm for name in names}
    return Corresponding(
        names, laid, placed, template.faces, residuals, left, _notes(names, left), sizes, turned
    )


def model_of(
    found: Corresponding,
    chosen: Sequence[int] | None = None,
    *,
    share: float = SHARE,
    label: str = "",
    seed: int | None = 0,
) -> ShapeModel:
    """Return the model of shapes in correspondence, or of some of them: modes, and smooth movements beyond them.

    How far shapes move beyond the modes is measured on shapes that each model of the others did not see.
    """
    points = found.points if chosen is None else found.points[list(chosen)]
    modes = modes_of(points, share=share, seed=seed)
    size = float(np.sqrt(((modes.mean - modes.mean.mean(axis=0)) ** 2).sum(axis=1).mean()))
    columns = smooth_columns(modes.mean, {SMOOTH[0] * size: 1.0}, SMOOTH[1])
    rest = _beyond(points, modes, share)
    weights = np.linalg.lstsq(columns, rest.transpose(1, 0, 2).reshape(len(columns), -1), rcond=None)[0]
    variances = (weights**2).mean(axis=1)
    left = rest.transpose(1, 0, 2).reshape(len(columns), -1) - columns @ weights
    residual = float(np.mean(list(found.residuals_mm.values())))
    return ShapeModel(
        mean_mm=modes.mean,
        faces=found.faces,
        modes=modes.vectors,
        variances=modes.variances,
        sound=modes.sound,
        smooth=columns,
        smooth_variances=variances,
        noise_mm=max(float(np.sqrt((left**2).mean())), residual, 1e-3 * size),
        weights=modes.weights,
        label=label,
        sizes=found.sizes,
        turned=found.turned,
        residual_mm=residual,
    )


def _beyond(points: Array, modes: Modes, share: float) -> Array:
    """Return what each shape does beyond the modes of the others, `(n, V, 3)`, a tenth of them left out at a time."""
    n = len(points)
    rest = np.zeros_like(points)
    for part in folds_of(n):
        others = np.setdiff1d(np.arange(n), part)
        own = modes_of(points[others], share=share, seed=None)
        gap = points[part] - own.mean
        weights = np.einsum("nvc,kvc->nk", gap, own.vectors)
        rest[part] = gap - np.einsum("nk,kvc->nvc", weights, own.vectors)
    return rest


def folds_of(n: int, most: int = 10) -> list[Array]:
    """Return the numbers of shapes that are left out together, each once."""
    return [np.arange(k, n, min(n, most)) for k in range(min(n, most))]


def _doer(template: Template, cloud: Cloud, turned: bool, sizes: bool) -> Callable[[], Registered]:
    return lambda: register(template, cloud, turned=turned, sizes=sizes)


def _misfits(clouds: Mapping[str, Cloud]) -> dict[str, str]:
    """Return which shapes are of quite another size than most, with why they are left out."""
    usual = float(np.median([c.size_mm for c in clouds.values()])) if clouds else 1.0
    return {
        name: f"{cloud.size_mm / usual:.3g} times as large as the usual shape; is it in mm, and the same anatomy?"
        for name, cloud in clouds.items()
        if not 1 / SIZES < cloud.size_mm / usual < SIZES
    }


def _medoid(clouds: Mapping[str, Cloud], *, turned: bool) -> str:
    """Return the shape that is nearest to all others, of at most twenty that are looked at."""
    names = list(clouds)
    few = [names[k] for k in np.linspace(0, len(names) - 1, min(CANDIDATES, len(names))).astype(int)]
    far = np.zeros((len(few), len(few)))
    for i, a in enumerate(few):
        for j, b in enumerate(few[:i]):
            tried = starts(clouds[a], clouds[b], turned=turned)
            far[i, j] = far[j, i] = min(apart(clouds[a], clouds[b], pose) for pose in tried)
    best: str = few[int(np.median(far, axis=1).argmin())]
    return best


def _failed(found: Mapping[str, Registered], template: Template) -> dict[str, str]:
    """Return which registrations failed, with why their shapes are left out."""
    usual = float(np.median([one.residual_mm for one in found.values()]))
    bound = max(RESIDUAL * template.size_mm, TIMES * usual)
    left = {}
    for name, one in found.items():
        if one.mirrored:
            left[name] = "its mirror image fits clearly better: left and right may be mixed"
        elif one.residual_mm > bound:
            left[name] = (
                f"no correspondence: {one.residual_mm:.2f} mm from the template, usual are {usual:.2f} mm"
            )
        elif one.folded > FOLDED:
            left[name] = f"no correspondence: {one.folded:.0%} of the template's faces turned over"
    return left


def _outside(laid: Array, names: Sequence[str]) -> dict[str, str]:
    """Return which shapes lie far outside of the others, by the distance from the median shape, with its figures."""
    if len(names) < 8:
        return {}
    far = np.sqrt(((laid - np.median(laid, axis=0)) ** 2).sum(axis=2).mean(axis=1))
    usual = float(np.median(far))
    spread = 1.4826 * float(np.median(np.abs(far - usual)))
    return {
        name: f"unlike all others: {one:.1f} mm from the median shape, usual are {usual:.1f} mm"
        for name, one in zip(names, far, strict=True)
        if one > usual + UNUSUAL * spread and one > 2 * usual
    }


def _assert_enough(clouds: Mapping[str, Cloud], left: Mapping[str, str]) -> None:
    if len(clouds) < LEAST:
        why = f", left out: {listed([f'{n} ({t})' for n, t in left.items()], 2)}" if left else ""
        raise DataError(
            f"a shape model needs {LEAST} shapes or more",
            found=counted(len(clouds), "shape") + why,
            hint="more cases",
        )


def _notes(names: Sequence[str], left: Mapping[str, str]) -> tuple[str, ...]:
    notes = []
    mirrored = [name for name, why in left.items() if "mirror" in why]
    if len(mirrored) > 0.1 * (len(names) + len(left)):
        notes.append(
            f"{counted(len(mirrored), 'shape')} of {len(names) + len(left)} fit better mirrored: "
            "learn each side by itself."
        )
    if len(names) < 20:
        notes.append(f"Learned from {counted(len(names), 'shape')}: modes and bands are uncertain.")
    return tuple(notes)


def _centred(points: Array) -> Array:
    return np.asarray(points - points.mean(axis=0))
