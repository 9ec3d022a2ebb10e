"""Radiomics: what a lesion is like in numbers of its shape, intensities and texture, as the IBSI defines them."""

from vesalius.radiomics.measure import FAMILIES, measured, names_of
from vesalius.radiomics.settings import Settings

__all__ = ["FAMILIES", "Settings", "measured", "names_of"]
