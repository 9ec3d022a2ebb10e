"""The names of the files that hold somebody's dataset, for who writes them and who reads them."""

from __future__ import annotations

HEAD = "vesalius-dataset.json"  # written last: a folder without it is not whole
LINES = "cases.jsonl"
VERSION = 1
