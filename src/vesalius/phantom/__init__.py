"""Synthetic abdominal CT studies whose truth is known: `patient` makes one in memory, `make` writes a cohort."""

from vesalius.phantom.study import LABELS, SIZES, Study, patient
from vesalius.phantom.write import make

__all__ = ["LABELS", "SIZES", "Study", "make", "patient"]
