"""harmonise: whether images, or features, of different scanners can be made comparable, and by which way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vesalius import cohorts
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort
from vesalius.core.disk import assert_apart
from vesalius.core.errors import OutputError, PlanError, UnknownName
from vesalius.core.progress import Progress, watched
from vesalius.core.shown import Shown
from vesalius.core.words import counted
from vesalius.prepare.harmonising import NOTHING
from vesalius.run.harmonise.data import Asked, of_features, of_images
from vesalius.run.harmonise.features import lifted, said_of
from vesalius.run.harmonise.looks import MOST
from vesalius.run.harmonise.trial import Tried, words_of
from vesalius.run.stopping import all_or_nothing

__all__ = ["Harmonised", "Tried", "harmonise"]
TOLD = 0.05  # of AUC above one half, at the lower end of its interval, from which on a scanner counts as told


@dataclass(frozen=True)
class Harmonised(Shown):
    """What ways of harmonising came to. `of` is `images` or `features`, `scanners` are how many cases each has.

    `tried` are the ways in their order; `chosen` is the first that held the threshold, or the only one that was asked
    for without one; None where none held, or nothing was to be chosen. `said` must be read with the figures.
    """

    data: str
    of: str
    by: str
    threshold: float | None
    scanners: Mapping[str, int]
    cases: int
    patients: int
    patients_known: bool
    data_hash: str
    target: str | None
    tried: tuple[Tried, ...]
    chosen: str | None
    said: tuple[str, ...]
    out: Path | None = None

    @property
    def held(self) -> bool | None:
        """Whether some way held the threshold; None without one."""
        return None if self.threshold is None else any(one.held for one in self.tried)

    def _words(self) -> Iterable[str]:
        yield f"{self.of} of {counted(len(self.scanners), self.by)}"
        yield words_of(self.tried)
        yield f"chosen: {self.chosen}" if self.chosen else "none chosen"


def harmonise(
    data: Path | str | Cohort,
    out: Path | str | None = None,
    *,
    by: str,
    threshold: float | None = None,
    methods: Sequence[str] = (),
    every: bool = False,
    keep: Sequence[str] = (),
    features: Sequence[str] = (),
    images: Sequence[str] = (),
    effect: str | None = None,
    most: int = MOST,
    seed: int = 0,
    layout: str | None = None,
    columns: Mapping[str, str] | None = None,
    split: Path | str | None = None,
    labels: Mapping[str, str] | None = None,
    progress: Progress | bool | None = None,
) -> Harmonised:
    """Try ways of making scanners comparable in their order until the spread between them holds a threshold.

    What a way learns, it learns on some patients; the spread, and how well the scanner can still be told, are measured
    on others. Cases that the data declare as test cases are not looked at. Data without images are a table of features,
    for which ComBat is the way.

    Args:
        data: A path as for `read`, or a cohort.
        out: A new folder for the harmonised images or features, and what was learned. Nothing is written where no way
            was chosen.
        by: The column that says which scanner, site or sequence a case is from.
        threshold: The largest spread to bear: of images in units of the range of an image's values, of features in
            units of their deviation within sites.
        methods: The ways to try, of `vesalius harmonisers`, each one or several in turn (`n4+nyul`); by default all
            that have a rank, in their order.
        every: Try all, also after one held.
        keep: Covariates whose effect on features stays, such as age and sex.
        features: The columns of features; by default all columns of numbers.
        images: The images of each case to look at; by default the reference image.
        effect: A target or covariate that a plain model tells from simple features, before and after.
        most: Images of one scanner that are looked at.
        seed: Decides folds, draws and what is trained.
        layout: How to read it, where it could be read in several ways.
        columns: What a table's columns are, where their names do not tell.
        split: A CSV with the columns `case,split`.
        labels: What stands for what among classes.
        progress: A `Progress`; True, False or None: by default a bar shows itself on a terminal and in a notebook.

    Returns:
        Every way with its spread, how well the scanner is told after it, and which was chosen.

    Raises:
        DataError: There are no two scanners, or nothing to look at.
        PlanError: A way is for other images, or `out` is given where nothing could be chosen.
        UnknownName: There is no such way or column.
        OutputError: `out` holds something, or lies within the data.
    """
    shown = watched(progress)
    methods = tuple(methods)
    if threshold is not None and not threshold > 0:
        raise PlanError("the threshold of the spread must be above 0", found=f"{threshold:g}")
    if out is not None and threshold is None and len(methods) != 1:
        raise PlanError(
            "nothing says which way is to be written",
            found="no threshold",
            hint="--threshold, or one --method",
        )
    with all_or_nothing():
        cohort = cohorts.open_cohort(
            data, layout=layout, columns=columns, split=split, labels=labels, max_set_aside=1.0
        )
        if out is not None:
            _assert_writable(Path(out), cohort.root)
        cases = [c for c in lifted(cohort.cases, (by, *keep, *features)) if c.split != "test"]
        aside = len(cohort.cases) - len(cases)
        said = [f"{counted(aside, 'test case')} not looked at"] if aside else []
        _assert_column(cases, effect)
        asked = Asked(by, threshold, methods, every, effect, seed, None if out is None else Path(out), shown)
        if any(c.images for c in cases):
            found = of_images(asked, cohort, cases, images, most)
        else:
            found = of_features(asked, cases, keep, features)
    if aside and found.of == "features" and found.out is not None:
        said.append(f"{counted(aside, 'test case')} not in the new table: ComBat learned of the others alone")
    said += [*found.notes, *_words(found.tried, found.chosen, threshold, by)]
    return Harmonised(
        data=cohorts.name_of(data),
        of=found.of,
        by=by,
        threshold=threshold,
        scanners={name: found.scanners.count(name) for name in sorted(set(found.scanners))},
        cases=len(found.scanners),
        patients=len(set(found.patients)),
        patients_known=cohort.patients_known,
        data_hash=cohort.hash,
        target=effect,
        tried=found.tried,
        chosen=found.chosen,
        said=tuple(said),
        out=found.out,
    )


def _assert_writable(out: Path, root: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise OutputError(f"{out} holds something; nothing is overwritten", hint="another -o")
    assert_apart(root, out)


def _assert_column(cases: Sequence[Case], name: str | None) -> None:
    if name is not None and not any(said_of(c, name) is not None for c in cases):
        known = {n for c in cases for n in (*c.targets, *c.covariates)}
        raise UnknownName("target or column of words or numbers", name, known)


def _words(tried: Sequence[Tried], chosen: str | None, threshold: float | None, by: str) -> list[str]:
    """Return what must be read with the figures."""
    found = []
    first = next((one.spread for one in tried if one.spread is not None), None)
    if first is not None and first.paired:
        found.append(
            f"the spread is within {counted(first.patients, 'patient')} who were seen on several {by}s"
        )
    elif first is not None:
        found.append(
            f"no patients who were seen on several {by}s link them all: what differs between patients counts, too"
        )
    if threshold is not None and chosen is None:
        found.append(f"none holds {threshold:g}: {words_of(tried)}")
    told = next((one.told for one in tried if one.method == chosen and one.told is not None), None)
    if told is not None and told.auc.low is not None and told.auc.low > 0.5 + TOLD:
        found.append(f"after {chosen} the {by} is still told from simple features, AUC {told.auc}")
    if chosen == NOTHING:
        found.append("nothing need be done: as they are, they hold it")
    return found
