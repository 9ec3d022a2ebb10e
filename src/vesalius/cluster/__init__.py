"""The cluster: what is trained, searched and answered by Ray's workers; the one room that imports Ray."""
