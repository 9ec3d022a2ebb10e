"""Reading settings from a YAML or JSON file: only known keys, each once; an error is one line that says where."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from vesalius.core.errors import PlanError, UnknownName, closest_path
from vesalius.core.fields import Place, dotted, place, said

M = TypeVar("M", bound=BaseModel)


def read(path: Path, model: type[M]) -> M:
    """Read the settings in a file. Raises PlanError with the file, the line, the key and what to try."""
    try:
        text = path.read_text(encoding="utf-8")
        root = yaml.compose(text, Loader=yaml.SafeLoader)  # JSON is YAML
        _each_key_once(path, root)
        data = yaml.safe_load(text)
    except FileNotFoundError as error:
        raise PlanError(
            f"no settings at {path}", hint=closest_path(path, "the path of a YAML file")
        ) from error
    except OSError as error:
        raise PlanError(f"{path} cannot be read", found=error.strerror) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}, line {mark.line + 1}" if mark else str(path)
        raise PlanError(
            f"{where}: no YAML", found=(error.problem or error.context or "").removeprefix("found ")
        ) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        found = " ".join(str(error).split())[:120] or type(error).__name__
        raise PlanError(f"{path}: no YAML", found=found) from error
    if not isinstance(data, dict):
        raise PlanError(
            f"{path} holds no settings", found="nothing" if data is None else type(data).__name__,
            hint="keys with their values",
        )  # fmt: skip
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise _wrong(path, root, model, error) from error


def _each_key_once(path: Path, node: Any, seen: frozenset[int] = frozenset()) -> None:
    """Raise PlanError where a mapping has a key twice: YAML would keep the last one alone."""
    if id(node) in seen:
        return
    seen = seen | {id(node)}
    if isinstance(node, yaml.MappingNode):
        first: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            name = str(key.value)
            if name in first:
                raise PlanError(
                    f"{path}, line {line}: the key '{name}' stands twice", found=f"the other in line {first[name]}"
                )  # fmt: skip
            first[name] = line
            _each_key_once(path, value, seen)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _each_key_once(path, value, seen)


def _wrong(path: Path, root: Any, model: type[BaseModel], error: ValidationError) -> PlanError:
    """Return pydantic's first fault as an error of ours."""
    faults = error.errors()
    first = faults[0]
    where = _there(root, place(first))
    at = f"{path}, line {_line(root, where)}"
    if first["type"] == "extra_forbidden":
        known = sorted({name for m in _at(model, where[:-1]) for name in m.model_fields})
        closest = UnknownName("key", str(where[-1]), known)
        return PlanError(f"{at}: unknown key '{dotted(where)}'", hint=closest.hint)
    what, found, hint = said(first)
    named = f"{at}: {dotted(where)}" if where else str(path)
    if first["type"].startswith("model_"):
        known = [name for m in _at(model, where) for name in m.model_fields]
        hint = f"{{{': …, '.join(known[:4])}: …}}"
    return PlanError(f"{named}{what}", found=found, hint=hint)


def _there(root: Any, loc: Place) -> Place:
    """Return the path of keys and indexes to a value, without the type names that pydantic puts in between."""
    found: list[int | str] = []
    node = root
    for k, part in enumerate(loc):
        below = _child(node, part)
        if below is None and k < len(loc) - 1:
            continue
        if below is None and isinstance(part, str) and not part.isidentifier():
            continue
        found.append(part)
        node = below
    return tuple(found)


def _line(root: Any, where: Place) -> int:
    """Return the line of a key or an entry; where it is missing, the line of the mapping or list around it."""
    node = root
    line = int(root.start_mark.line)
    for part in where:
        if isinstance(node, yaml.MappingNode):
            line = next((int(k.start_mark.line) for k, _ in node.value if str(k.value) == str(part)), line)
        node = _child(node, part)
        if node is None:
            break
        if isinstance(part, int):
            line = int(node.start_mark.line)
    return line + 1


def _child(node: Any, part: int | str) -> Any:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if str(key.value) == str(part)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part]
    return None


def _at(model: type[BaseModel], where: Place) -> list[type[BaseModel]]:
    """Return the models that the value at this path may be read as."""
    found: list[type[BaseModel]] = [model]
    for part in where:
        fields = [m.model_fields[part] for m in found if isinstance(part, str) and part in m.model_fields]
        if fields:
            found = [m for f in fields for m in _models(f.annotation)]
    return found


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)
