"""Radiomics: what a lesion is like in numbers of its shape, intensities and texture, as the IBSI defines them."""

from vesalius.radiomics.measure import measured, names_of
from vesalius.radiomics.settings import Settings

__all__ = ["Settings", "measured", "names_of"]
