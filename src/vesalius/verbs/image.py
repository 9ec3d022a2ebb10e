"""image: pixels in memory as an Image, with what is known of them."""

from vesalius.prepare.pixels import image

__all__ = ["image"]
