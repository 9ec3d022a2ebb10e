"""What is wrong with a field of a plan or of a settings file, in our words: what it takes, and what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Place = tuple[int | str, ...]

_TAKES = {  # pydantic's kinds of faults, and what would have been right
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "a text",
    "path_type": "a path",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "keys with their values",
    "model_type": "keys with their values",
    "model_attributes_type": "keys with their values",
    "url_type": "an address such as https://host/path",
    "url_parsing": "an address such as https://host/path",
    "url_scheme": "an address that begins with http:// or https://",
    "literal_error": "{expected}",
    "greater_than": "more than {gt}",
    "greater_than_equal": "{ge} or more",
    "less_than": "less than {lt}",
    "less_than_equal": "{le} or less",
    "string_too_short": "{min_length} characters or more",
    "string_too_long": "{max_length} characters or fewer",
    "too_short": "{min_length} or more entries",
    "too_long": "{max_length} or fewer entries",
}


class Unfit(ValueError):
    """A value that a validator of ours refuses: why, what was found if not the value itself, and what to try.

    `at` leads from the place of the validator to the value, where that lies deeper.
    """

    def __init__(
        self, why: str, *, found: str | None = None, hint: str | None = None, at: Place = ()
    ) -> None:
        super().__init__(why)
        self.why, self.found, self.hint, self.at = why, found, hint, at


def place(fault: Mapping[str, Any]) -> Place:
    """Return where a fault lies, of those that pydantic's ValidationError lists."""
    inner = _ours(fault)
    return (*fault["loc"], *(inner.at if inner else ()))


def dotted(where: Sequence[int | str]) -> str:
    """Return a place as it is written: `rules.0.bundle`."""
    return ".".join(map(str, where))


def said(fault: Mapping[str, Any]) -> tuple[str, str | None, str | None]:
    """Return what is wrong, after the name of its place; what was found; and what to try."""
    inner = _ours(fault)
    if inner is not None:
        own = short(fault["input"]) if not inner.at and inner.found is None else inner.found
        return f": {inner.why}", own or None, inner.hint
    kind = fault["type"]
    if kind == "missing":
        return " is missing", None, None
    takes = _TAKES.get(kind)
    if takes is None:
        text = str(fault["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")
        return f": {text}", short(fault["input"]), None
    value = fault["input"]
    return f" must be {takes.format_map(fault.get('ctx') or {})}", short(value), _hint(kind, value)


def _hint(kind: str, value: Any) -> str | None:
    """Return what was probably meant."""
    if kind == "string_type" and isinstance(value, bool | int | float):
        return "quotes around it"
    if not isinstance(value, str):
        return None
    if kind == "url_parsing" and "://" not in value:
        return f"http://{value}"
    if kind == "bool_type" and value.lower() in ("true", "false"):
        return value.lower()
    try:
        return f"{float(value):.15g}" if kind in ("int_type", "float_type") else None
    except ValueError:
        return None


def short(value: Any) -> str:
    """Return a value in a few words: a section by its fields, not by half of its text."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return f"an object of {', '.join(map(str, value)) or 'nothing'}"[:80]
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:79]}…"


def _ours(fault: Mapping[str, Any]) -> Unfit | None:
    error = (fault.get("ctx") or {}).get("error")
    return error if isinstance(error, Unfit) else None
