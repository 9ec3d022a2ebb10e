"""What becomes of one DICOM attribute's value: dummies, keyed UIDs, dates by the options, text without identifiers."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from pydicom._uid_dict import UID_dictionary
from pydicom.datadict import dictionary_has_tag
from pydicom.dataset import Dataset

from vesalius.deidentify import _values
from vesalius.deidentify._subject import Subject, many
from vesalius.deidentify._table import name_of
from vesalius.deidentify.key import Key
from vesalius.deidentify.options import Settings

TEXTS = ("AE", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT")
_NUMBERS = ("IS", "DS", "FL", "FD", "SL", "UL", "SV", "UV")
DATES = ("DA", "DT", "TM")
LAYER = 0x00700002
_CODES = (0x00080100, 0x00080102, 0x00080103, 0x00080119, 0x00080120)
_TECHNICAL_GROUPS = (0x0018, 0x0028, 0x0054)  # versions and parts there look like dates and telephones
_EQUIPMENT = (0x00080070, 0x00081090)


@dataclass
class Values:
    """Changes values in place; `counts` says what was done to what: (attribute, action) → times."""

    key: Key
    settings: Settings
    subject: Subject
    counts: Counter[tuple[str, str]] = field(default_factory=Counter, kw_only=True)

    def _layer(self, element: Any) -> None:
        """A layer of graphics, which people name as they like, under a name that is the same in all its places."""
        element.value = f"L{self.key.pseudonym('layer', str(element.value or ''), digits=8)}".upper()

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
            elif tag == LAYER:
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
        """Take this data set's own identifiers, and what looks like one, out of text and numbers that stay."""
        if element.VR in _NUMBERS and element.value is not None:
            self._numbers(element)
            return
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

    def _numbers(self, element: Any) -> None:
        """0 for a number that is one of this data set's own, such as the patient's in place of the series'."""
        values = list(element.value) if many(element.value) else [element.value]
        own = [re.sub(r"\.0*$", "", f"{v}").lstrip("-+0") in self.subject.cleaner.numbers for v in values]
        if any(own):
            new = [0 if mine else v for v, mine in zip(values, own, strict=True)]
            element.value = new if len(new) > 1 else new[0]
            self._count(element, "swept")

    def _each(self, element: Any, change: Any) -> None:
        limit = {"SH": 16, "LO": 64}.get(element.VR)
        value = element.value
        texts = [str(v) for v in value] if many(value) else [str(value if value is not None else "")]
        new = [change(text)[:limit].rstrip() for text in texts]
        element.value = new if len(new) > 1 else new[0]

    def _count(self, element: Any, action: str) -> None:
        self.counts[name_of(element.tag), action] += 1
