"""One DICOM data set, attribute by attribute, nested ones included: PS3.15 Annex E applied in place."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from pydicom._uid_dict import UID_dictionary
from pydicom.datadict import dictionary_has_tag
from pydicom.dataset import Dataset

from vesalius.reliability.deidentify import _structured, _values
from vesalius.reliability.deidentify._private import safe_tags
from vesalius.reliability.deidentify._subject import Subject, many
from vesalius.reliability.deidentify._table import name_of, rule_of
from vesalius.reliability.deidentify._types import resolve
from vesalius.reliability.deidentify._unlisted import identifies, is_written
from vesalius.reliability.deidentify.key import Key
from vesalius.reliability.deidentify.options import Settings

TEXTS = ("AE", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT")
DATES = ("DA", "DT", "TM")
_BULK = ("OB", "OW", "OF", "OD", "OL", "OV", "UN")
_CODES = (0x00080100, 0x00080102, 0x00080103, 0x00080119, 0x00080120)
_TECHNICAL_GROUPS = (0x0018, 0x0028, 0x0054)  # versions and parts there look like dates and telephones
_TIMEZONE = 0x00080201
_PIXELS = 0x7FE00010
_LAYER = 0x00700002
_EQUIPMENT = (0x00080070, 0x00081090)
_CLASS_UIDS = (0x00080016, 0x0008001A, 0x0008010C, 0x00080117, 0x00080118, 0x00081150, 0x00041510, 0x0008010D)
_PSEUDONYM = {0x00100010: "patient", 0x00100020: "patient", 0x00120040: "patient"}


@dataclass
class Walk:
    """One pass over one data set; `counts` says what was done to what: (attribute, action) → times."""

    key: Key
    settings: Settings
    subject: Subject
    sop_class: str
    keep_items: bool = False
    clear_overlays: frozenset[int] = frozenset()  # groups that were looked at and hold no text
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    def apply(
        self, data: Any, *, nested: bool = False, structured: bool = False, done: frozenset[Any] = frozenset()
    ) -> None:
        """Change `data` in place; attributes in `done` have been seen to."""
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
        elif tag == _LAYER:
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

    def _layer(self, element: Any) -> None:
        """A layer of graphics, which people name as they like, under a name that is the same in all its places."""
        element.value = f"L{self.key.pseudonym('layer', str(element.value or ''), digits=8)}".upper()

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
        """Whether an overlay may stay: no text was found in it. Curves (retired) never do: nobody can look at one."""
        return tag.group in self.clear_overlays

    def _date(self, element: Any, *, counted: bool = True) -> None:
        """A date or time by the options: kept, moved, or a dummy."""
        action = "D"
        if not self._moment(element):
            pass
        elif self.settings.has("keep-dates"):
            action = "K"
        elif not self.settings.has("shift-dates"):
            element.value = _values.dummy(element.VR) if element.value else element.value
        elif element.VR == "TM":
            action = "C"
        else:
            action = "C"
            values = element.value if many(element.value) else [element.value]
            moved = [_values.shifted(str(v), self.subject.days) or "" if v else "" for v in values]
            element.value = moved if len(moved) > 1 else moved[0]
        if counted:
            self._count(element, action)

    def _moment(self, element: Any) -> bool:
        """Make a dummy of what is no date or time, whatever its VR; whether it was one."""
        values = element.value if many(element.value) else [element.value]
        if all(_values.is_moment(element.VR, str(v or "")) for v in values):
            return True
        element.value = _values.dummy(element.VR)
        return False

    def _dummy(self, element: Any) -> None:
        if element.VR == "SQ":
            items = list(element.value)[:1] or [Dataset()]
            for item in items:
                self._hollow(item)
            element.value = items
        elif element.VR == "UI":
            element.value = self._uids(element.value)
        else:
            element.value = _values.dummy(element.VR)

    def _hollow(self, data: Any) -> None:
        """The skeleton of a data set: every value a dummy, so that it stays valid and says nothing."""
        for tag in list(data.keys()):
            element = data[tag]
            if tag.is_private or tag.elem == 0 or not dictionary_has_tag(tag):
                del data[tag]
            elif tag == _LAYER:
                self._layer(element)
            elif element.VR in ("CS", "US", "SS", "AT"):
                self._sweep(element)
            elif element.VR == "SQ":
                for item in element.value:
                    self._hollow(item)
            elif element.value not in (None, "", b""):
                self._dummy(element)

    def _uids(self, value: Any) -> Any:
        if many(value):
            return [self._uid(str(v)) for v in value]
        return self._uid(str(value)) if value else value

    def _uid(self, uid: str) -> str:
        uid = uid.strip(" \0")
        return uid if not uid or uid in UID_dictionary else self.key.uid(uid)

    def _sweep(self, element: Any, *, known_only: bool = False) -> None:
        """Take this data set's own identifiers, and what looks like one, out of text that stays."""
        if element.VR not in (*TEXTS, "CS") or element.VR == "AE" or not element.value:
            return
        before = str(element.value)
        cleaner = self.subject.cleaner
        known_only = known_only or element.tag in _CODES
        technical = element.tag.group in _TECHNICAL_GROUPS or element.tag in _EQUIPMENT
        if element.VR == "CS":
            self._each(element, lambda text: text if cleaner.coded(text) else _values.TEXT)
        else:
            self._each(
                element,
                cleaner.known if known_only or (technical and element.VR in ("LO", "SH")) else cleaner.scrub,
            )
        if str(element.value) != before:
            self._count(element, "swept")

    def _each(self, element: Any, change: Any) -> None:
        limit = {"SH": 16, "LO": 64}.get(element.VR)
        value = element.value
        texts = [str(v) for v in value] if many(value) else [str(value if value is not None else "")]
        new = [change(text)[:limit].rstrip() for text in texts]
        element.value = new if len(new) > 1 else new[0]

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

    def _count(self, element: Any, action: str) -> None:
        self.counts[name_of(element.tag), action] += 1


def _required(tag: Any) -> bool:
    """Whether an attribute that the profile would make a dummy must hold something."""
    rule = rule_of(tag)
    return rule is not None and rule.basic.replace("*", "").endswith("D")
