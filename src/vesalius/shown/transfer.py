"""How a transfer table is shown: its verdicts and a line an arm in a notebook, its whole page elsewhere."""

from __future__ import annotations

from vesalius.answers.drawing.lines import Line
from vesalius.evaluate.transfer import Transfer, drawn_page, shown
from vesalius.shown.contract import View


class TransferView(View[Transfer]):
    """A transfer table."""

    def name(self, thing: Transfer) -> str:
        """Return what the data are called."""
        return thing.data

    def lines(self, thing: Transfer) -> list[Line]:
        """Return the verdicts, and each arm's figure at each number of labels."""
        told = [Line("verdict", text) for text in thing.verdicts]
        for line in thing.lines:
            cells = shown(line)
            at = (
                f"{line.test}, {line.labels}, {line.words}"
                if len(thing.tests) > 1
                else f"{line.labels}, {line.words}"
            )
            told.append(Line(at, f"{thing.called} {cells['value']}; {line.sentence}"))
        return told

    def page(self, thing: Transfer) -> str:
        """Return the page that `transfer` writes."""
        return drawn_page(thing)


VIEW = TransferView()
