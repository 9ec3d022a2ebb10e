"""One file = one verb: how the rooms work together; the whole of the Python API."""
