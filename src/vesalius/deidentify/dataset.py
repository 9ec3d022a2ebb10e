"""One DICOM data set, attribute by attribute, nested ones included: PS3.15 Annex E applied in place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydicom.datadict import dictionary_has_tag

from vesalius.deidentify import _structured, _values
from vesalius.deidentify._element import DATES, LAYER, TEXTS, Values
from vesalius.deidentify._private import safe_tags
from vesalius.deidentify._table import name_of, rule_of
from vesalius.deidentify._types import resolve
from vesalius.deidentify._unlisted import identifies, is_written

_BULK = ("OB", "OW", "OF", "OD", "OL", "OV", "UN")
_TIMEZONE = 0x00080201
_PIXELS = 0x7FE00010
_CLASS_UIDS = (0x00080016, 0x0008001A, 0x0008010C, 0x00080117, 0x00080118, 0x00081150, 0x00041510, 0x0008010D)
_PSEUDONYM = {0x00100010: "patient", 0x00100020: "patient", 0x00120040: "patient"}


@dataclass
class Walk(Values):
    """One pass over one data set: which attributes go, stay or change, and into what."""

    sop_class: str
    keep_items: bool = False
    clear_overlays: frozenset[int] = frozenset()  # groups that were looked at and hold no text

    def apply(
        self, data: Any, *, nested: bool = False, structured: bool = False, done: frozenset[Any] = frozenset()
    ) -> None:
        """De-identify `data` in place; attributes in `done` were handled already."""
        safe = safe_tags(data) if self.settings.has("retain-safe-private") else set()
        for tag in list(data.keys()):
            if tag not in data or tag in done:
                continue
            if tag.is_private:
                if tag in safe:
                    self._count(data[tag], "K")
                    self._sweep(data[tag])
                else:
                    self._remove(data, tag)
            elif tag.elem == 0:
                del data[tag]
            else:
                self._public(data, data[tag], nested=nested, structured=structured)
        if not nested:
            self._whole_groups(data)

    def _public(self, data: Any, element: Any, *, nested: bool, structured: bool) -> None:
        tag, rule = element.tag, rule_of(element.tag)
        if rule is None:
            self._unlisted(data, element, structured=structured)
            return
        action = resolve(rule.action(self.settings.columns), f"{tag:08X}", None if nested else self.sop_class)
        if tag == 0x00700006 and self.settings.has("clean-graphics"):
            action = "C"  # the words beside a graphic: the graphic's own option cleans them
        self._act(data, element, action, structured=structured)

    def _act(self, data: Any, element: Any, action: str, *, structured: bool = False) -> None:
        tag = element.tag
        if action == "X":
            self._remove(data, tag)
            return
        if element.VR == "SQ" and action in "KCU":
            self._sequence(element, structured=structured or action == "C")
            self._count(element, action)
            return
        if action in "ZD" and tag in _PSEUDONYM and element.VR != "SQ":
            element.value = self.subject.pseudonym
            self._count(element, "pseudonym")
            return
        if action == "Z":
            element.value = [] if element.VR == "SQ" else None if element.VR not in TEXTS else ""
        elif action == "D":
            self._dummy(element)
        elif action == "U":
            element.value = self._uids(element.value)
        elif action == "C" or tag == _TIMEZONE:
            self._clean(data, element)
        elif element.VR in DATES:
            self._moment(element)
        elif element.VR == "UI" and not _values.are_uids(element.value):
            element.value = self._uids(element.value)
        elif element.VR in _BULK:
            self._search(data, element)
        else:
            self._sweep(element, known_only=True)
            if element.VR == "AS" and element.value:
                element.value = _values.age(str(element.value))
        self._count(element, action)

    def _unlisted(self, data: Any, element: Any, *, structured: bool) -> None:
        """What the table does not name: kept, but for what can only identify."""
        tag, vr = element.tag, element.VR
        if not dictionary_has_tag(tag) and tag.group & 0xFF00 not in (0x5000, 0x6000):
            self._remove(data, tag)
        elif vr == "SQ":
            self._sequence(element, structured=structured)
        elif tag == LAYER:
            self._layer(element)
        elif identifies(tag, vr):
            self._dummy(element)
            self._count(element, "D")
        elif vr == "UI":
            if (tag in _CLASS_UIDS or self.settings.has("retain-uids")) and _values.are_uids(element.value):
                return
            new = self._uids(element.value)
            if new != element.value:
                element.value = new
                self._count(element, "U")
        elif vr == "PN":
            self._dummy(element)
            self._count(element, "D")
        elif vr in DATES:
            self._date(element)
        elif vr == "AS":
            element.value = _values.age(str(element.value or ""))
        elif is_written(tag, vr) or (tag.group & 0xFF00 == 0x6000 and vr in TEXTS):
            if element.value:
                self._clean(data, element)
                element.value = element.value or _values.TEXT
                self._count(element, "C")
        elif vr in _BULK:
            self._search(data, element)
        else:
            self._sweep(element)

    def _search(self, data: Any, element: Any) -> None:
        """Remove bulk data in which this data set's own identifiers are written."""
        if element.tag != _PIXELS and self.subject.cleaner.within(bytes(element.value or b"")):
            self._remove(data, element.tag)

    def _sequence(self, element: Any, *, structured: bool) -> None:
        by_items = self.settings.has("clean-structured-content")
        kept = []
        for item in element.value:
            done: frozenset[Any] | None = frozenset()
            if structured and by_items and _structured.is_item(item):
                done = self._item(item)
            if done is None:
                continue
            self.apply(item, nested=True, structured=structured, done=done)
            kept.append(item)
        if len(kept) != len(element.value):
            element.value = kept

    def _item(self, item: Any) -> frozenset[Any] | None:
        """Clean a content item's own value and say which attribute holds it; None for an item that goes."""
        action = _structured.action(item, self.settings.columns)
        keyword = _structured.value_of(item)
        name = f"content item {item.ValueType}"
        if action == "X" and not self.keep_items:
            self.counts[name, "X"] += 1
            return None
        if keyword is None or keyword not in item:
            return frozenset()
        element = item[keyword]
        if action in "XD":
            self._dummy(element)
        elif action == "U":
            element.value = self._uids(element.value)
        elif action == "C" and element.VR in DATES:
            self._date(element)
        elif action == "C":
            element.value = self.subject.cleaner.clean(str(element.value or "")) or _values.TEXT
        self.counts[name, "D" if action == "X" else action] += 1
        return frozenset((element.tag,))

    def _clean(self, data: Any, element: Any) -> None:
        if element.VR in DATES:
            self._date(element, counted=False)
        elif element.tag == _TIMEZONE:
            if not _values.is_offset(str(element.value or "")):
                element.value = ""
            return  # days are moved, not hours
        elif element.VR == "AE":
            element.value = "AE" + self.key.pseudonym("ae", str(element.value or ""), digits=8).upper()
        elif element.VR in TEXTS:
            self._each(element, lambda text: self.subject.cleaner.clean(text))
            if not element.value and _required(element.tag):
                element.value = _values.TEXT
        elif element.VR == "CS":
            self._sweep(element)
        elif element.VR in _BULK and not self._clear(element.tag):
            self._remove(data, element.tag)

    def _clear(self, tag: Any) -> bool:
        """Return whether an overlay may stay: no text was found in it.

        Curves (retired) never do: nobody can look at one.
        """
        return tag.group in self.clear_overlays

    def _whole_groups(self, data: Any) -> None:
        """A curve or an overlay without its data is not valid: what is left of its group goes as well."""
        for group in {t.group for t in list(data.keys()) if t.group & 0xFF00 in (0x5000, 0x6000)}:
            if group & 0xFF00 == 0x6000 and (group << 16 | 0x3000) in data:
                continue
            for tag in [t for t in list(data.keys()) if t.group == group]:
                self._remove(data, tag)

    def _remove(self, data: Any, tag: Any) -> None:
        del data[tag]
        self.counts[name_of(tag), "X"] += 1


def _required(tag: Any) -> bool:
    """Return whether an attribute that the profile would make a dummy must hold something."""
    rule = rule_of(tag)
    return rule is not None and rule.basic.replace("*", "").endswith("D")
