"""Cohorts: from a path to checked cases; one file is one data layout.

A layout's file has `detect(root) -> Detection | None` and `read(root, *, options) -> Cohort`.
"""

from vesalius.cohorts._assignment_io import load_assignment, save_assignment
from vesalius.cohorts._check import Decoded, check, geometry_fault
from vesalius.cohorts._cleaning import (
    ACTIONS,
    CHANGES,
    CLEANED,
    CLEANED_TABLE,
    Change,
    Source,
    cell_of,
    load_changes,
    load_source,
    save_cleaned,
    value_of,
)
from vesalius.cohorts._cleaning import changed as with_changes
from vesalius.cohorts._complete import brings_sets, usual_reference, with_complete
from vesalius.cohorts._dealing import connected
from vesalius.cohorts._experts import Experts, open_experts
from vesalius.cohorts._files import TABLE_SUFFIXES, is_image, require, walk
from vesalius.cohorts._findings import save_findings
from vesalius.cohorts._folds import assign, with_unlabelled
from vesalius.cohorts._instances import table_of_instances
from vesalius.cohorts._joined import with_joined
from vesalius.cohorts._layout import ONE_EXPERT, SPARE, UNUSED, Detection, Options, target_roles
from vesalius.cohorts._limits import enforce_limit
from vesalius.cohorts._masked import recounted, with_values
from vesalius.cohorts._open import name_of, open_cohort
from vesalius.cohorts._overlap import Overlap
from vesalius.cohorts._read import detect, read, read_unscreened
from vesalius.cohorts._shares import with_declared_test, with_share_of_labels
from vesalius.cohorts._shots import draw_shots
from vesalius.cohorts._splits import leaking_patients
from vesalius.cohorts._spool import Reading, spool
from vesalius.cohorts._table_io import read_cells
from vesalius.cohorts._target import select_target
from vesalius.cohorts._told import assert_untold

__all__ = [
    "ACTIONS",
    "CHANGES",
    "CLEANED",
    "CLEANED_TABLE",
    "ONE_EXPERT",
    "SPARE",
    "TABLE_SUFFIXES",
    "UNUSED",
    "Change",
    "Decoded",
    "Detection",
    "Experts",
    "Options",
    "Overlap",
    "Reading",
    "Source",
    "assert_untold",
    "assign",
    "brings_sets",
    "cell_of",
    "check",
    "connected",
    "detect",
    "draw_shots",
    "enforce_limit",
    "geometry_fault",
    "is_image",
    "leaking_patients",
    "load_assignment",
    "load_changes",
    "load_source",
    "name_of",
    "open_cohort",
    "open_experts",
    "read",
    "read_cells",
    "read_unscreened",
    "recounted",
    "require",
    "save_assignment",
    "save_cleaned",
    "save_findings",
    "select_target",
    "spool",
    "table_of_instances",
    "target_roles",
    "usual_reference",
    "value_of",
    "walk",
    "with_changes",
    "with_complete",
    "with_declared_test",
    "with_joined",
    "with_share_of_labels",
    "with_unlabelled",
    "with_values",
]
