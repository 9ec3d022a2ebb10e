"""How an index is shown: where it lies, how many cases it has, and of what its vectors are."""

from __future__ import annotations

from vesalius.answers.drawing.lines import Line
from vesalius.shown.contract import View, facts
from vesalius.verbs.index import Indexed


class IndexedView(View[Indexed]):
    """An index that was made."""

    def name(self, thing: Indexed) -> str:
        """Return where it lies."""
        return str(thing.path)

    def lines(self, thing: Indexed) -> list[Line]:
        """Return a line for each thing worth knowing."""
        return facts(
            ("cases", thing.cases),
            ("vectors", thing.made_of),
            ("asked", "in words, with an image, or both" if thing.reads else "with an image"),
            ("searched", f"{thing.way}: {thing.why}"),
            ("new", thing.new if thing.new != thing.cases else ""),
            ("in it already", thing.already),
            ("set aside", len(thing.set_aside)),
            ("data", thing.data_hash[:12]),
        )


VIEW = IndexedView()
