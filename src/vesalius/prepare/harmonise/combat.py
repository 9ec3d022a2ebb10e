"""ComBat: features of different sites made comparable by empirical Bayes, with covariates kept.

Each feature is a sum of its mean, what covariates do to it, and a site's own shift; a site also has a scale. Shifts and
scales are drawn towards what the site's other features say. Source: Johnson, Li and Rabinovic 2007, Biostatistics 8(1);
Fortin et al. 2018, NeuroImage 167.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.core.words import counted, listed

TAKES = "features"
FITTED = True
UNDO = True
OPTIONS = {"unseen": "refuse"}
LIMITS = {"unseen": {"in": ["refuse", "own", "as_is"]}}
FEWEST = 3  # cases of a site that is learned
FEWEST_OWN = 10  # cases of an unseen site whose shift and scale are found from its own features
ROUNDS, CLOSE = 200, 1e-6


@dataclass(frozen=True, eq=False)
class ComBat:
    """What was learned of training cases: `(F,)` a feature, `(S, F)` a site, `(K, F)` a covariate.

    `mean` is that of all sites, weighted by their cases, `sd` the pooled deviation after site and covariates,
    `shift` and `scale` those of the sites in units of `sd`, `slopes` what one unit of a covariate adds, `centre` the
    covariates' means.
    """

    sites: tuple[str, ...]
    covariates: tuple[str, ...]
    mean: Array
    sd: Array
    slopes: Array
    centre: Array
    shift: Array
    scale: Array

    def json(self) -> dict[str, Any]:
        """Return what was learned as plain data."""
        arrays = {k: getattr(self, k).tolist() for k in ("mean", "sd", "slopes", "centre", "shift", "scale")}
        return {"sites": list(self.sites), "covariates": list(self.covariates), **arrays}


def parse(data: Mapping[str, Any]) -> ComBat:
    """Return what was learned from its plain data. Raises DataError where it is none."""
    try:
        arrays = {k: np.asarray(data[k], np.float64) for k in ("mean", "sd", "centre", "shift", "scale")}
        slopes = np.asarray(data["slopes"], np.float64).reshape(len(data["covariates"]), len(data["mean"]))
        return ComBat(tuple(data["sites"]), tuple(data["covariates"]), slopes=slopes, **arrays)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError("this is no ComBat that was fitted here", found=str(error)) from error


def fit(
    features: Array,
    sites: Sequence[str],
    covariates: Array | None = None,
    *,
    names: Sequence[str] = (),
) -> ComBat:
    """Return ComBat learned from `features` `(N, F)` of training cases, and `covariates` `(N, K)` whose effect stays.

    Raises DataError for a site of too few cases, a covariate that a site decides, or a feature that does not vary.
    """
    y = np.asarray(features, np.float64)
    x = np.zeros((len(y), 0)) if covariates is None else np.asarray(covariates, np.float64)
    known = sorted(set(sites))
    code = np.array([known.index(s) for s in sites])
    many = np.bincount(code, minlength=len(known))
    _assert_possible(y, x, known, many)
    centre = x.mean(axis=0)
    design = np.concatenate([np.eye(len(known))[code], x - centre], axis=1)
    if np.linalg.matrix_rank(design) < design.shape[1]:
        raise DataError(
            "a covariate that is kept cannot be told from the sites",
            found=f"{listed(names) or 'covariates'} follow from {counted(len(known), 'site')}",
            hint="keep fewer covariates, or sites that have several values of each",
        )
    found, *_ = np.linalg.lstsq(design, y, rcond=None)
    own, slopes = found[: len(known)], found[len(known) :]
    mean = many @ own / len(y)
    sd = np.sqrt(((y - design @ found) ** 2).mean(axis=0))
    if (sd <= 1e-12 * np.maximum(1.0, np.abs(mean))).any():
        at = int(np.argmin(sd))
        raise DataError("a feature does not vary within sites", found=f"column {at + 1}", hint="leave it out")
    learned = ComBat(tuple(known), tuple(names), mean, sd, slopes, centre, own * 0, own * 0 + 1)
    z = (y - mean - (x - centre) @ slopes) / sd
    each = [_site(z[code == k]) for k in range(len(known))]
    return replace(learned, shift=np.array([g for g, _ in each]), scale=np.array([d for _, d in each]))


def apply(
    learned: ComBat,
    features: Array,
    sites: Sequence[str],
    covariates: Array | None = None,
    *,
    unseen: str = "refuse",
) -> Array:
    """Return features `(N, F)` without what their sites do to them.

    `covariates` are those that were kept; without them each case is taken for one of average covariates, as must be
    where one of them is what a model is to tell. Of a site that was not learned from, `unseen` decides: `refuse`;
    `own`, its shift and scale are found from its own cases here, of which there must be enough; `as_is`, nothing is
    changed. Raises DataError.
    """
    z, adjusted, code, extra = _standard(learned, features, sites, covariates, unseen)
    shift, scale = np.concatenate([learned.shift, extra[0]]), np.concatenate([learned.scale, extra[1]])
    found: Array = (z - shift[code]) / scale[code] * learned.sd + adjusted
    return found


def undo(learned: ComBat, features: Array, sites: Sequence[str], covariates: Array | None = None) -> Array:
    """Return features as they were before `apply`, of sites that were learned from. Raises DataError for others."""
    z, adjusted, code, _ = _standard(learned, features, sites, covariates, "refuse")
    found: Array = (z * learned.scale[code] + learned.shift[code]) * learned.sd + adjusted
    return found


def _standard(
    learned: ComBat, features: Array, sites: Sequence[str], covariates: Array | None, unseen: str
) -> tuple[Array, Array, Array, tuple[Array, Array]]:
    """Return standardised features, what is added to them again, each case's site, and what new sites do."""
    y = np.asarray(features, np.float64)
    if y.ndim != 2 or y.shape[1] != len(learned.mean) or not np.isfinite(y).all():
        raise DataError(
            f"ComBat learned from {counted(len(learned.mean), 'feature')}, all of them numbers",
            found=f"shape {y.shape}" if y.ndim != 2 or y.shape[1] != len(learned.mean) else "empty cells",
        )
    adjusted = np.broadcast_to(learned.mean, y.shape)
    if covariates is not None and len(learned.centre):
        adjusted = adjusted + (np.asarray(covariates, np.float64) - learned.centre) @ learned.slopes
    z = (y - adjusted) / learned.sd
    new = sorted(set(sites) - set(learned.sites))
    if new and unseen == "refuse":
        raise DataError(
            "ComBat has learned nothing of a site",
            found=listed(new, 5),
            hint="cases of that site among those it is fitted on, or unseen=own, unseen=as_is",
        )
    names = [*learned.sites, *new]
    code = np.array([names.index(s) for s in sites])
    still, ones = np.zeros((len(new), y.shape[1])), np.ones((len(new), y.shape[1]))
    if unseen == "own":
        for k, site in enumerate(new):
            rows = z[code == len(learned.sites) + k]
            if len(rows) < FEWEST_OWN:
                raise DataError(
                    f"the shift of an unseen site is found from {FEWEST_OWN} of its cases on",
                    found=f"{site}: {len(rows)}",
                    hint="more cases of that site together, or unseen=as_is",
                )
            still[k], ones[k] = _site(rows)
    return z, adjusted, code, (still, ones)


def _site(z: Array) -> tuple[Array, Array]:
    """Return a site's shift and scale `(F,)` by parametric empirical Bayes over its features (Johnson 2007, 3.1)."""
    n = len(z)
    gamma, delta = z.mean(axis=0), z.var(axis=0, ddof=1)
    if len(gamma) < 2:
        return gamma, np.sqrt(delta)
    middle, width = gamma.mean(), gamma.var(ddof=1)
    m, v = delta.mean(), max(float(delta.var(ddof=1)), 1e-12)
    shape, rate = (2 * v + m**2) / v, (m * v + m**3) / v
    shift, scale = gamma.copy(), delta.copy()
    for _ in range(ROUNDS):
        before = shift, scale
        shift = (width * n * gamma + scale * middle) / (width * n + scale)
        scale = (rate + 0.5 * ((z - shift) ** 2).sum(axis=0)) / (n / 2 + shape - 1)
        moved = max(np.abs(shift - before[0]).max(), np.abs(scale - before[1]).max())
        if moved < CLOSE:
            break
    return shift, np.sqrt(scale)


def _assert_possible(y: Array, x: Array, known: Sequence[str], many: Array) -> None:
    if y.ndim != 2 or not np.isfinite(y).all() or not np.isfinite(x).all() or len(x) != len(y):
        raise DataError(
            "ComBat takes a table of numbers without empty cells", hint="leave out such rows or columns"
        )
    if len(known) < 2:
        raise DataError("ComBat needs two sites", found=listed(known) or "none")
    few = [f"{s}: {n}" for s, n in zip(known, many, strict=True) if n < FEWEST]
    if few:
        raise DataError(
            f"ComBat needs {FEWEST} cases of each site", found=listed(few, 5), hint="leave such sites out"
        )
