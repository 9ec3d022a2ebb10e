"""Where an installed package keeps a file; its code is never imported."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from vesalius.core import registry
from vesalius.core.errors import BundleError
from vesalius.weights.sources import KIND


def file_of(package: str, file: str, install: str) -> Path:
    """Return the path of a package's file. Raises BundleError, with the command to install it, where it is missing."""
    try:
        found = metadata.distribution(package)
    except metadata.PackageNotFoundError as error:
        raise BundleError(f"the weights of the package {package} are not installed", hint=install) from error
    path = Path(str(found.locate_file(file)))
    if not path.is_file():
        raise BundleError(
            f"the package {package} {found.version} does not hold the weights that are known of it",
            found=f"no {file}",
            hint=install,
        )
    return path


def is_installed(name: str) -> bool:
    """Return whether the package of registered weights is installed; nothing is imported. Raises UnknownName."""
    package = registry.literals(KIND, registry.stem_of(KIND, name))["PACKAGE"]
    try:
        metadata.distribution(package)
    except metadata.PackageNotFoundError:
        return False
    return True


def how_installed(name: str) -> str:
    """Return the command that installs registered weights; nothing is imported. Raises UnknownName."""
    return str(registry.literals(KIND, registry.stem_of(KIND, name))["INSTALL"])
