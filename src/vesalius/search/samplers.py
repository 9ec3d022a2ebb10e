"""How the next plan is chosen: the samplers of Optuna that a search takes, by name, and what ends a trial early."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from vesalius.core.errors import MissingExtra, UnknownName

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler

SAMPLERS = {
    "tpe": "tree-structured Parzen estimators of all values together (Bergstra 2011, Falkner 2018)",
    "gp": "a Gaussian process over those parts that all trials have",
    "random": "by chance, to compare with",
    "hyperband": "tpe, where trials that fall behind are ended early (Li 2018)",
}
USUAL = "tpe"
STARTUP = (4, 10)  # trials that are drawn by chance before anything is modelled: a fifth of all, within these
REDUCTION, LOOKS = 3, 9  # of hyperband: of so many trials one goes on, and how often one is looked at


def library() -> Any:
    """Return Optuna, made quiet. Raises MissingExtra where it is not installed."""
    try:
        import optuna
    except ImportError as error:
        raise MissingExtra("optuna", "tune") from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def assert_known(name: str) -> None:
    """Raise UnknownName for a sampler that there is not."""
    if name not in SAMPLERS:
        raise UnknownName("sampler", name, SAMPLERS)


@contextmanager
def unwarned() -> Iterator[None]:
    """Silence Optuna's warnings of what it calls experimental inside this block."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def sampler_of(name: str, *, seed: int, trials: int, workers: int) -> BaseSampler:
    """Return the sampler for one trial of so many, whose draws follow from the seed. Raises MissingExtra."""
    samplers = library().samplers
    seed = seed % 2**32  # what numpy takes
    first = min(STARTUP[1], max(STARTUP[0], trials // 5))
    with unwarned():
        if name == "random":
            found = samplers.RandomSampler(seed=seed)
        elif name == "gp":
            found = samplers.GPSampler(seed=seed, n_startup_trials=first)
        else:
            found = samplers.TPESampler(
                seed=seed, n_startup_trials=first, multivariate=True, group=True, constant_liar=workers > 1
            )
    result: BaseSampler = found
    return result


def pruner_of(name: str) -> BasePruner:
    """Return what ends trials early: Hyperband, or nothing. Raises MissingExtra."""
    pruners = library().pruners
    found: BasePruner = pruners.NopPruner()
    if name == "hyperband":
        found = pruners.HyperbandPruner(min_resource=1, max_resource=LOOKS, reduction_factor=REDUCTION)
    return found


def looks_of(name: str) -> int:
    """Return how often a trial is scored while it is trained."""
    return LOOKS if name == "hyperband" else 1
