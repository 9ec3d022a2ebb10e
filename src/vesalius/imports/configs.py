"""MONAI's bundle configs as data: JSON or YAML, references by `@` followed, expressions by `$` never evaluated."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vesalius.core.errors import BundleError

MOST_BYTES = 4 << 20
MOST_NODES = 50_000
DEEPEST = 40
TARGET = "_target_"


@dataclass(frozen=True, eq=False)
class Config:
    """One config file as plain data; `path` is where it lies."""

    path: Path
    data: Mapping[str, Any]

    def at(self, *names: str) -> Any:
        """Return what stands under the first of some names that is there, resolved; None for none."""
        found = next((self.data[n] for n in names if n in self.data), None)
        return self.resolved(found)

    def resolved(self, value: Any, *, seen: tuple[str, ...] = ()) -> Any:
        """Return a value with every `@reference` replaced by what it names. Raises BundleError, by name, for `$`."""
        return _Resolving(self).value(value, seen)


def read(path: Path) -> Config:
    """Return a config file. Raises BundleError for what is too large, no mapping, or asks for objects."""
    import yaml

    try:
        if path.stat().st_size > MOST_BYTES:
            raise BundleError(f"{path} is larger than a config can be", found=f"{path.stat().st_size} bytes")
        text = path.read_text(encoding="utf-8")
        data = json.loads(text) if path.suffix == ".json" else yaml.load(text, Loader=yaml.SafeLoader)
    except OSError as error:
        raise BundleError(f"{path} cannot be read", found=error.strerror or str(error)) from error
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        first = (str(error).splitlines() or ["too deep"])[0][:120]
        raise BundleError(f"{path} is no plain JSON or YAML", found=first) from error
    if not isinstance(data, Mapping):
        raise BundleError(f"{path} is no config", found=f"a {type(data).__name__} and no names")
    return Config(path, {str(k): v for k, v in data.items()})


class _Resolving:
    """One walk through a value, of bounded length: aliases and references can name a little data very often."""

    def __init__(self, config: Config) -> None:
        self.config, self.left = config, MOST_NODES

    def value(self, value: Any, seen: tuple[str, ...], deep: int = 0) -> Any:
        self.left -= 1
        if self.left < 0 or deep > DEEPEST:
            raise BundleError(f"{self.config.path} grows without end where its references are followed")
        if isinstance(value, Mapping):
            return {str(k): self.value(v, seen, deep + 1) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(v, seen, deep + 1) for v in value]
        if not isinstance(value, str):
            return value
        if value.lstrip().startswith("$"):
            raise BundleError(
                f"{self.config.path} has an expression where a plain value is needed, and it is not evaluated",
                found=value[:80],
                hint="the value that it stands for, written in its place",
            )
        if not value.startswith("@"):
            return value
        if value in seen:
            raise BundleError(f"{self.config.path} has references in a circle", found=" → ".join(seen)[:120])
        return self.value(self._named(value), (*seen, value), deep + 1)

    def _named(self, reference: str) -> Any:
        """Return what a reference names: `@network_def`, `@inferer::roi_size`, `@a#0`."""
        found: Any = self.config.data
        for part in reference[1:].replace("::", "#").split("#"):
            if isinstance(found, Mapping) and part in found:
                found = found[part]
            elif isinstance(found, Sequence) and part.isdecimal() and int(part) < len(found):
                found = found[int(part)]
            else:
                raise BundleError(f"{self.config.path} refers to what is not in it", found=reference[:80])
        return found


def target_of(part: Any, config: Config, prefix: str) -> tuple[str, dict[str, Any]]:
    """Return the last word of a part's `_target_` and its plain arguments; `prefix` is where such parts are of.

    Nothing is imported by that word. Raises BundleError for a part without one, or one of another package.
    """
    if not isinstance(part, Mapping) or not isinstance(part.get(TARGET), str):
        raise BundleError(f"{config.path}: a part has no {TARGET}", found=str(part)[:80])
    name = str(part[TARGET])
    if "." in name and not name.startswith(prefix):
        raise BundleError(
            f"{config.path} names a part that is not known here, and it is not looked for",
            found=f"{TARGET}: {name[:80]}",
            hint=f"parts of {prefix}",
        )
    return name.rpartition(".")[2], {str(k): v for k, v in part.items() if not str(k).startswith("_")}
