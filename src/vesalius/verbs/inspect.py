"""inspect: what is in a cohort, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from vesalius import cohorts
from vesalius.core.cohort import Cohort
from vesalius.core.errors import OutputError
from vesalius.core.image import Array
from vesalius.core.progress import Progress, watched
from vesalius.deidentify import ocr
from vesalius.plan import machine
from vesalius.reliability import looks
from vesalius.reliability.finding import Place
from vesalius.reliability.html import write
from vesalius.reliability.inspect import Inspection
from vesalius.reliability.inspect import inspect as look
from vesalius.run.stopping import all_or_nothing


def inspect(
    data: Path | str | Cohort,
    *others: Path | str | Cohort,
    layout: str | None = None,
    target: str | None = None,
    columns: Mapping[str, str] | None = None,
    split: Path | str | None = None,
    labels: Mapping[str, str] | None = None,
    html: Path | str | None = None,
    silence: Sequence[str] = (),
    read_text: bool = False,
    progress: Progress | bool | None = None,
) -> Inspection:
    """Decode everything once and say what is there: counts, sizes, labels, duplicates, leaks, misfits.

    Faulty data are what it looks for: nothing stops it but the lack of any image, or a target that is not there.

    Args:
        data: A path as for `read`, or a cohort.
        others: Further cohorts, read in the same way: patients and pictures that they share with it are found.
        layout: How to read it, where it could be read in several ways; one of `vesalius layouts`.
        target: The target to look at, where there are several.
        columns: What a table's columns are, where their names do not tell: `{"covariate": "age,sex"}`.
        split: A CSV with the columns `case,split`.
        labels: What stands for what among classes and masks' values: `{"NA": "", "255": "1"}`.
        html: Where to write a page with a contact sheet.
        silence: Looks whose findings are counted and not told; names from `vesalius looks`.
        read_text: Whether to read pictures for burned-in text (60 at most, evenly spread), by tesseract.
        progress: A `Progress`; True, False or None: by default a bar shows itself on a terminal and in a
            notebook.

    Returns:
        The summary, and the findings, the worst first.

    Raises:
        DataError: There is no image.
        UnknownName: There is no such target, or no such look.
        MissingProgram: `read_text` without tesseract.
        OutputError: `html` exists already.
        Interrupted: Ctrl-C; nothing is left behind.
    """
    if html is not None and Path(html).exists():
        raise OutputError(f"{html} exists; nothing is overwritten", hint="another --html")
    looks.known(silence)
    if read_text:
        ocr.require()

    def opened(one: Path | str | Cohort, of: str | None = None) -> Cohort:
        return cohorts.open_cohort(
            one, layout=layout, target=of, columns=columns, labels=labels,
            split=split if one is data else None, max_set_aside=1.0,
        )  # fmt: skip

    with all_or_nothing():
        cohort = opened(data, target)
        if target is not None:
            cohorts.select_target(cohort, target)  # a name that is not there is said, not passed over
        found = look(
            cohort,
            target=target,
            others=[opened(one) for one in others],
            silence=silence,
            read_text=_places if read_text else None,
            progress=watched(progress),
            workers=machine.measure().workers,
        )
        if html is not None:
            write(found, Path(html))
        return found


def _places(plane: Array) -> list[Place]:
    """Return where text stands in a grey plane, as shares of its height and width."""
    height, width = plane.shape
    return [(b.top / height, b.left / width, b.bottom / height, b.right / width) for b in ocr.find(plane)]
