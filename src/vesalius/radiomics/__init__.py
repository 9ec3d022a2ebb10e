"""Radiomics: what a lesion is like in numbers of its shape, its intensities and its texture, after the IBSI's definitions."""

from vesalius.radiomics.measure import FAMILIES, measured, names_of
from vesalius.radiomics.settings import Settings

__all__ = ["FAMILIES", "Settings", "measured", "names_of"]
