"""The contract of a phantom: what a file of this room says as literals, and the functions that it has.

A phantom's name is its file's stem, and its description the first line of its docstring (or `NAMES = {"ct": "…"}`);
what comes in variants has an option for it. The file declares, as literals that are read without importing it:

    FORMATS = ("nifti", "png")                the ways in which a cohort can be written; the first is the default
    OPTIONS = {"size": "small"}               its own options with their defaults
    SMALL = {"size": 24}                      options with which it is quick to check; absent where the defaults are
    FINDINGS = ("lesion", "cyst")             what `twin` can leave out; absent where there is no `twin`

and has

    patient(index, seed=0, *, <its options>) -> SyntheticPatient
    twin(index, seed=0, *, without, <its options>) -> SyntheticPatient         the same patient without a finding

The same arguments give the same patient to the bit, whatever else was drawn before. A cohort is written by
`common/write.py` from each patient's Case. A kind whose cohorts have a layout or files of their own also has

    write(root, patient, format) -> Row | Sequence[Row]  write one patient's files; return the rows of cohort.csv
    texts(recipe, rows, truths) -> {path: text}          README.md, dataset.json and other text files of the cohort
    cohort_truth(recipe) -> dict                         what truth.json says of the cohort as a whole
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from vesalius.core.case import Case

Row = dict[str, Any]  # one row of cohort.csv, or of another table: column → value


class SyntheticPatient(Protocol):
    """One synthetic patient, whole and in memory."""

    def as_case(self) -> Case:
        """Return the patient as a Case that holds its pixels, targets, covariates and report."""
        ...

    def truth(self) -> dict[str, Any]:
        """Return all that is known of the patient, as plain JSON values; `id` is the case's."""
        ...


@dataclass(frozen=True)
class Recipe:
    """What a cohort is made from: the phantom's name, how many cases, the seed, the format and the options.

    `options` holds every option of the phantom, with the defaults of those that were not given. `without` is the
    finding that every patient is made without, if one is. `faults` are the shares of what is planted, by name.
    """

    kind: str
    cases: int
    seed: int
    format: str
    options: Mapping[str, Any]
    without: str | None = None
    faults: Mapping[str, float] = field(default_factory=dict)
