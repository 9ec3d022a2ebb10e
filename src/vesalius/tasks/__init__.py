"""One file = one question that can be asked of images."""
