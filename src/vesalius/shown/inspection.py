"""How an inspection is shown: what was found, the worst first, and pictures of the cases that it names."""

from __future__ import annotations

from vesalius.answers.drawing.lines import Line
from vesalius.core.called import called_by
from vesalius.core.shown import cut
from vesalius.reliability import html
from vesalius.reliability.finding import Finding
from vesalius.reliability.inspect import Inspection
from vesalius.shown._markup import sheet, warned
from vesalius.shown.contract import View, facts

FINDINGS, PICTURES = 12, 12


class InspectionView(View[Inspection]):
    """An inspection. Its page is the one that `vesalius inspect --html` writes."""

    def name(self, thing: Inspection) -> str:
        """Return the name of the folder or file that was looked at."""
        return thing.cohort.root.name

    def before(self, thing: Inspection) -> str:
        """Return the findings that are not mere notes."""
        grave = [f for f in thing.findings if f.severity != "note"]
        more = len(grave) - FINDINGS
        shown = "".join(warned(f"{f.severity}, {f.kind}", _sentence(f)) for f in grave[:FINDINGS])
        return shown + (warned("more", f"{more} findings: .show() has them all") if more > 0 else "")

    def lines(self, thing: Inspection) -> list[Line]:
        """Return the counts of the summary."""
        s = thing.summary
        found = facts(
            ("cases", s.cases),
            ("patients", s.patients if s.patients_known else "not known"),
            ("set aside", s.set_aside),
            ("without a target", s.without_target),
            ("split", ", ".join(f"{name} {n}" for name, n in s.splits.items())),
            ("modalities", ", ".join(f"{name} {n}" for name, n in list(s.modalities.items())[:4])),
            ("shapes", ", ".join(f"{name} {n}" for name, n in list(s.shapes.items())[:4])),
        )
        for target in s.targets:
            nice = called_by(x.name for x in target.labels)
            most = max((x.cases for x in target.labels), default=0)
            found.append(Line(target.name, f"{target.kind}: {target.cases} cases"))
            found += [
                Line(f"\u2003{nice[x.name]}", f"{x.cases} cases", share=x.cases / most if most else None)
                for x in target.labels
            ]
        return found

    def after(self, thing: Inspection) -> str:
        """Return some pictures."""
        step = max(1, len(thing.thumbs) // PICTURES)
        return sheet(
            [(html.data_uri(t), f"{t.case} {t.label}".strip()) for t in thing.thumbs[::step][:PICTURES]]
        )

    def page(self, thing: Inspection) -> str:
        """Return the page of an inspection."""
        return html.render(thing)


def _sentence(finding: Finding) -> str:
    return cut(finding.text, 200) + (f" ({cut(finding.hint, 120)})" if finding.hint else "")


VIEW = InspectionView()
