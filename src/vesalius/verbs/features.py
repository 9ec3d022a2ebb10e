"""features: a table of what a net sees of each case, or of what its lesions are like, for models of tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vesalius import cohorts
from vesalius.core.bundle import Bundle
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort, SetAside
from vesalius.core.disk import held
from vesalius.core.errors import DataError, Interrupted, VesaliusError
from vesalius.core.feature_table import CASE
from vesalius.core.progress import Progress, watched
from vesalius.core.words import counted
from vesalius.plan import machine as machines
from vesalius.plan import torch_threads
from vesalius.radiomics.settings import settings_of
from vesalius.reliability.marks import Marks
from vesalius.run.features_file import FeaturesFile
from vesalius.run.features_notes import about_of, finished
from vesalius.run.features_past import Learned, learned_of
from vesalius.run.featuring import Deep, Lesions, Maker, made_by
from vesalius.run.finished import Run
from vesalius.run.tabular import read_for

RADIOMICS = "radiomics"


@dataclass(frozen=True)
class Features:
    """A table of features that was written.

    `path` is where, `made` is `deep` or `radiomics`. `names` are the features, `rows` how many rows of how many `cases`
    there are. `set_aside` says of which cases, or labels of them, there are none, and why; `notes` is what must be read
    with them. `learned` is how many of the cases the bundle that made them learned from; None where that is not known,
    or no bundle had a part.
    """

    path: Path
    made: str
    names: tuple[str, ...]
    rows: int
    cases: int
    set_aside: tuple[SetAside, ...]
    notes: tuple[str, ...]
    data_hash: str
    bundle: str = ""
    learned: int | None = None

    def table(self) -> Any:
        """Return the table as polars has it: a row a case, or a case and label; missing values are null."""
        import polars as pl

        return (
            pl.read_parquet(self.path) if self.path.suffix.lower() == ".parquet" else pl.read_csv(self.path)
        )


def features(
    what: Run | Bundle | Path | str,
    data: Path | str | Cohort,
    out: Path | str,
    *,
    mask: Run | Bundle | Path | str | None = None,
    only: Sequence[str] = (),
    image: str | None = None,
    settings: Mapping[str, Any] | None = None,
    columns: Mapping[str, str] | None = None,
    layout: str | None = None,
    labels: Mapping[str, str] | None = None,
    workers: int | None = None,
    device: str | None = None,
    accept_mismatch: bool = False,
    resume: bool = False,
    progress: Progress | bool | None = None,
) -> Features:
    """Write a table of features: a row a case of a bundle's, a row a case and label of radiomics.

    A bundle's are the mean of the deepest map of its net, as its first member sees a case, and of a net that looks at
    pieces that in the middle. Radiomics follow the definitions of the IBSI under PyRadiomics' names. Beside the table
    lies `NAME.json`, which says how it was made. `--column features=TABLE` brings a table to any cohort as covariates.

    Args:
        what: A bundle, the run that holds it, the path of either; or `radiomics`.
        data: A cohort, or its path as for `read`.
        out: The table, `.parquet` or `.csv`; nothing is overwritten.
        mask: What is measured by radiomics: a target of the cohort that is drawn, or a bundle whose answers are masks;
            by default the only such target.
        only: The labels of the mask to measure, by default all.
        image: Which image of each case is measured, by default its reference.
        settings: Settings of radiomics by name, such as `{"bin_width": 10}`; see `radiomics.Settings`.
        columns: What a table's columns are, where their names do not tell.
        layout: How to read it, where it could be read in several ways; one of `vesalius layouts`.
        labels: What stands for what among masks' values: `{"255": "1"}`.
        workers: How many cases are measured at once, by default as many as there are cores.
        device: `cpu`, `cuda`, `cuda:1`; by default a GPU where there is one.
        accept_mismatch: Show a bundle images of another modality or unit than it learned from, too.
        resume: Go on with a table that was interrupted, told as it was then.
        progress: A `Progress`; True, False or None: by default a bar shows itself on a terminal and in a notebook.

    Returns:
        Where the table lies, what is in it, what is not, and why.

    Raises:
        DataError: There is no mask, or nothing could be measured.
        PlanError: A setting does not suit, or the bundle has no net.
        UnknownName: A label, an image or a setting that is not there.
        OutputError: `out` exists, or cannot be written.
        Interrupted: Ctrl-C; rows are kept, and `resume` goes on.
    """
    shown, file = watched(progress), FeaturesFile(Path(out))
    chosen = settings_of(settings or {})
    cores = workers or machines.measure().workers
    torch_threads.use(cores)
    bundle = None if str(what) == RADIOMICS else made_by(what)
    if bundle is not None and (mask is not None or only or settings or image):
        raise DataError(
            "a mask, its labels, an image and settings are of radiomics",
            hint=f"vesalius features {RADIOMICS} DATA",
        )
    if bundle is None:
        cohort = cohorts.open_cohort(
            data, layout=layout, columns=columns, labels=labels, target=_named(mask), max_set_aside=1.0
        )
        maker: Maker = Lesions.of(
            cohort,
            mask,
            settings=chosen,
            only=only,
            image=image,
            device=device,
            accept_mismatch=accept_mismatch,
        )
    else:
        cohort = read_for(bundle, data, layout=layout, columns=columns)
        maker = Deep(bundle, device=device, accept_mismatch=accept_mismatch)
    marks = Marks()
    cohort = cohorts.check(
        cohort,
        target=maker.target,
        progress=shown,
        max_set_aside=1.0,
        workers=cores,
        observe=marks if maker.bundle is not None else None,
        strict=maker.target is not None,
    )
    past = learned_of(maker.bundle, cohort, marks)
    maker = maker.ready(cohort)
    told = {**maker.told, "data_hash": cohort.hash}
    done = set(file.begin(told, resume=resume))
    aside = [*cohort.set_aside]
    try:
        with held(file.mark):
            _fill(file, maker, [c for c in cohort.cases if c.id not in done], past, cores, shown, aside)
            return _closed(file, maker, cohort, past, aside, shown)
    except KeyboardInterrupt as error:
        many = counted(len(file.rows.cases()), "row is", "rows are")
        raise Interrupted(f"interrupted; {many} kept", hint="the same again with --resume") from error


def _named(mask: Run | Bundle | Path | str | None) -> str | None:
    """Return a mask as the name of a target, where it may be one."""
    return mask if isinstance(mask, str) and not Path(mask).exists() else None


def _fill(
    file: FeaturesFile,
    maker: Maker,
    cases: Sequence[Case],
    past: Learned,
    workers: int,
    progress: Progress,
    aside: list[SetAside],
) -> None:
    """Write the rows of all cases, in their order; what cannot be measured is set aside, and said once a reason."""
    said: set[str] = set()
    progress.start("features", len(cases))
    try:
        for case, found in maker.made(cases, workers):
            reasons = [str(found)] if isinstance(found, VesaliusError) else [*found.aside]
            if not isinstance(found, VesaliusError) and found.rows:
                file.add(case.id, [{**past.of(case.id), **row} for row in found.rows])
            for reason in reasons:
                aside.append(SetAside(case.id, reason))
                if reason not in said:
                    progress.note(f"not measured: {case.id}: {reason}")
                said.add(reason)
            progress.advance("features")
    finally:
        progress.finish("features")


def _closed(
    file: FeaturesFile, maker: Maker, cohort: Cohort, past: Learned, aside: list[SetAside], progress: Progress
) -> Features:
    """Write the table under its own name, and return what is in it. Raises DataError where that would mislead."""
    try:
        if not file.rows.names:
            raise DataError("nothing could be measured", found=aside[0].reason if aside else "no case")
        table, names, notes = finished(file.table(), aside, past)
    except DataError:
        file.discard()
        raise
    for note in notes:
        progress.note(note)
    about = about_of(maker.about, cohort, table, names, aside=aside, notes=notes, past=past)
    file.close(table, about)
    return Features(
        path=file.out,
        made=str(maker.about["made"]),
        names=names,
        rows=table.height,
        cases=table[CASE].n_unique(),
        set_aside=tuple(aside),
        notes=notes,
        data_hash=cohort.hash,
        bundle="" if maker.bundle is None else maker.bundle.hash,
        learned=past.count,
    )
