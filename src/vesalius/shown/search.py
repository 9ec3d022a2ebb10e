"""How a search is shown: its verdict, its best trials and what matters in a notebook, its whole page elsewhere."""

from __future__ import annotations

from vesalius.answers.drawing.lines import Line
from vesalius.search.page import drawn_page
from vesalius.search.result import Search, in_words
from vesalius.shown.contract import View

MOST = 8  # parts whose importance is told


class SearchView(View[Search]):
    """A search."""

    def name(self, thing: Search) -> str:
        """Return what the data are called."""
        return thing.data

    def lines(self, thing: Search) -> list[Line]:
        """Return the verdict, the best trials, and how much of the scores' differences each part explains."""
        told = [Line("verdict", thing.verdict.why)] if thing.verdict else []
        told += [Line("luck", thing.luck)] if thing.luck else []
        told.append(Line("trials", thing.counted))
        settings = {t.number: t.settings for t in thing.trials}
        for one in thing.finalists:
            words = in_words(settings.get(one.number, {}), thing.default)
            told.append(Line(f"trial {one.number}", f"{thing.primary} {one.score:.3f}: {words}"))
        for path, share in list(thing.importance.items())[:MOST]:
            told.append(Line(path, f"{share:.0%} of the importance", share=share))
        return told

    def page(self, thing: Search) -> str:
        """Return the page that `search` writes."""
        return drawn_page(thing)


VIEW = SearchView()
