"""Tables for a terminal: a plan with its reasons, a scorecard with its intervals, what inspect found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vesalius.core.plan import Plan
from vesalius.core.scorecard import Interval, Scorecard
from vesalius.core.words import counted

if TYPE_CHECKING:
    from vesalius.answers.drawing import panels
    from vesalius.evaluate.comparison import Comparison
    from vesalius.evaluate.transfer import Transfer
    from vesalius.search.result import Search
    from vesalius.verbs.few_shot import FewShot
    from vesalius.verbs.prompt import Prompted

LABELS_SHOWN = 12


def console() -> Console:
    """Return standard output, as wide as it must be where it is not a terminal."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=150)


def plan_table(plan: Plan) -> None:
    """Every planned value and why."""
    from vesalius.run.reporting import choices

    table = Table("field", "value", "why", title="plan", title_justify="left", box=None, pad_edge=False)
    for field, value, reason in choices(plan):
        table.add_row(field, escape(value), escape(reason))
    console().print(table)


def figure(found: Interval | None) -> str:
    """Return a value with its interval."""
    if found is None or found.value is None:
        return "-"
    if found.low is None or found.high is None:
        return f"{found.value:.3f}"
    return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"


def scorecard_table(card: Scorecard) -> None:
    """What must be read first; then every metric with its 95 % interval, n, and the trivial baseline beside it."""
    for banner in card.banners:
        console().print(f"[bold yellow]{escape(banner.kind)}:[/] {escape(banner.text)}", soft_wrap=True)
    if card.overlap and not any(card.overlap in banner.text for banner in card.banners):
        console().print(f"training cases: {escape(card.overlap)}", soft_wrap=True)
    who = counted(card.n_patients, "patient") if card.patients_known else "each case counted as a patient"
    title = f"{card.split}: {counted(card.n_cases, 'case')}, {who}"
    if card.positive:
        at = card.thresholds.get(card.positive)
        title += f"; positive: {card.positive}" + (f" from {at:.3f}" if at is not None else "")
    if card.unit:
        title += f"; in {card.unit}"
    if card.tolerance_mm is not None:
        title += (
            f"; surface tolerance {card.tolerance_mm:g} mm (or {card.tolerance_px:g} pixel without spacing)"
        )
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for name in (
        "metric",
        "value (95 % interval)",
        "n",
        f"baseline: {card.baseline_is}" if card.baseline else "baseline",
    ):
        table.add_column(name)
    many = len(card.labels) > LABELS_SHOWN
    for name, found in card.metrics.items():
        if "/" in name and many:
            continue
        table.add_row(escape(name), figure(found), str(found.n), figure(card.baseline.get(name)))
    console().print(table if card.metrics else escape(title))
    if card.novelty:
        from vesalius.evaluate.strange import in_words

        console().print(escape(in_words(card.novelty)), soft_wrap=True)
    for reason, n in card.excluded.items():
        why, _, label = reason.partition("/")
        of = f"{label}: " if label else ""
        console().print(escape(f"not counted: {of}{_left_out(card.answer, why)}: {counted(n, 'case')}"))
    if card.sources:
        from vesalius.evaluate.added import lines as of_sources

        for line in of_sources(card):
            console().print(escape(line), soft_wrap=True)
    if card.places:
        from vesalius.evaluate.places import lines as of_places

        for line in of_places(card):
            console().print(escape(line), soft_wrap=True)
    if card.rivals:
        from vesalius.evaluate.rivals_shown import lines as of_rivals

        for line in of_rivals(card):
            console().print(escape(line), soft_wrap=True)
    if card.experts:
        from vesalius.evaluate.among import sentence

        console().print(escape(sentence(card.experts)), soft_wrap=True)
    if card.selective or card.promise or card.withheld:
        from vesalius.evaluate.trust import lines

        for line in lines(card):
            console().print(escape(line), soft_wrap=True)
    _worst_groups(card)


def _left_out(answer: str, why: str) -> str:
    """Return in words why cases were not counted; the word itself where no kind of answer here knows it."""
    from vesalius.answers import contract
    from vesalius.core.errors import UnknownName

    try:
        return contract.of(answer).left_out.get(why, why).removesuffix(", not counted")
    except UnknownName:
        return why


def _worst_groups(card: Scorecard) -> None:
    """What the gaps between groups of patients come to, a line a grouping; gaps that were found are banners, too."""
    if not card.subgroups:
        return
    from vesalius.evaluate.subgroup_page import worst

    for text in worst(card):
        if not any(text == banner.text for banner in card.banners):
            console().print(f"groups: {escape(text)}", soft_wrap=True)


def comparison_table(found: Comparison) -> None:
    """What must be read first, the verdict, and every figure of both with the difference, its interval and p."""
    from vesalius.evaluate.comparison import figures

    for note in found.notes:
        console().print(f"[bold yellow]note:[/] {escape(note)}", soft_wrap=True)
    console().print(escape(found.verdict), soft_wrap=True)
    who = counted(found.n_patients, "patient") if found.patients_known else "each case counted as a patient"
    title = f"{found.split}: {counted(found.n_cases, 'case')}, {who}; {found.names[1]} less {found.names[0]}"
    table = Table(title=escape(title), title_justify="left", box=None, pad_edge=False)
    for name in ("metric", *found.names, "difference (95 % interval)", "p", "n", "better"):
        table.add_column(escape(name))
    for row in figures(found):
        span = f"{row['difference']} ({row['interval']})"
        table.add_row(
            escape(row["name"]),
            row["first"],
            row["second"],
            span,
            row["p"],
            str(row["n"]),
            escape(row["better"]),
        )
    console().print(table)


def few_shot_table(found: FewShot) -> None:
    """What must be read first, then each figure with its interval over episodes and over patients."""
    for note in filter(None, (*found.said, found.overlap)):
        console().print(f"[bold yellow]note:[/] {escape(note)}", soft_wrap=True)
    drawn = f"{counted(found.episodes, 'episode')} of {found.ways} classes, {counted(found.shots, 'shot')} of each"
    title = f"{found.what}: {drawn}, from {counted(found.cases, 'case')} ({found.split})"
    table = Table(title=escape(title), title_justify="left", box=None, pad_edge=False)
    for name in ("metric", "head", "features", "over episodes", "over patients", "chance"):
        table.add_column(name)
    for f in found.figures:
        chance = "" if "-" in f.features else f"{found.chance[f.metric]:.3f}"
        table.add_row(f.metric, f.head, f.features, str(f.episodes), str(f.patients), chance)
    console().print(table)


def prompted_table(found: Prompted) -> None:
    """What must be read first, then each way's figure at each number of examples, with its interval over patients."""
    for note in found.said:
        console().print(f"[bold yellow]note:[/] {escape(note)}", soft_wrap=True)
    title = f"{counted(found.episodes, 'draw')} from {counted(found.cases, 'report')} ({found.split})"
    table = Table(title=escape(title), title_justify="left", box=None, pad_edge=False)
    for name in ("metric", "examples a class", "way", "over patients"):
        table.add_column(name)
    for f in found.figures:
        table.add_row(f.metric, str(f.shots), f.way, str(f.patients))
    console().print(table)


def transfer_table(found: Transfer) -> None:
    """What must be read first, what each arm came to, and a line an arm at each number of labels, by test set."""
    from vesalius.evaluate.transfer import shown

    for note in found.notes:
        console().print(f"[bold yellow]note:[/] {escape(note)}", soft_wrap=True)
    if found.verdicts:
        console().print(f"{escape(found.headline)}.", soft_wrap=True)
    for verdict in found.verdicts:
        console().print(escape(verdict), soft_wrap=True)
    for test in found.tests:
        who = f" of {counted(test.n_patients, 'patient')}" if found.patients_known else ""
        title = f"{test.name}: {counted(test.n_cases, 'case')}{who}, the same for every fit"
        if test.trivial is not None:
            title += f"; the trivial answer ({test.trivial_is}) comes to {test.trivial:.3f}"
        table = Table(title=escape(title), title_justify="left", box=None, pad_edge=False)
        for name in (
            "begins",
            "labels",
            "n",
            "patients",
            f"{found.called} (95 %)",
            "difference (95 %)",
            "verdict",
        ):
            table.add_column(escape(name))
        for name in ("seeds", "seconds", "steps"):
            table.add_column(name, justify="right")
        for line in (x for x in found.lines if x.test == test.name):
            cells = shown(line)
            names = ("words", "labels", "n", "patients", "value", "difference")
            verdict = cells["verdict"] or "no figure"
            table.add_row(
                *(escape(cells[n]) for n in names), verdict, cells["seeds"], cells["seconds"], cells["steps"]
            )
        console().print(table)


def search_table(found: Search) -> None:
    """What must be read first; the verdict, what the best owes to luck; the finalists, and what the scores hang on."""
    from vesalius.search.result import in_words

    for note in found.notes:
        console().print(f"[bold yellow]note:[/] {escape(note)}", soft_wrap=True)
    for text in (found.verdict.why if found.verdict else "", found.luck, f"trials: {found.counted}"):
        if text:
            console().print(escape(text), soft_wrap=True)
    settings = {t.number: t.settings for t in found.trials}
    table = Table(
        "trial", found.primary, "gain there", "gain on other folds", "what is other in it", box=None
    )
    for one in found.finalists:
        confirmed = "–" if one.confirmed is None else str(one.confirmed)
        words = in_words(settings.get(one.number, {}), found.default)
        table.add_row(str(one.number), f"{one.score:.3f}", str(one.found), confirmed, escape(words))
    if found.finalists:
        console().print(table)
    if found.importance:
        most = ", ".join(f"{path} {share:.0%}" for path, share in list(found.importance.items())[:6])
        console().print(f"what the scores hang on: {escape(most)}", soft_wrap=True)
    if found.test is not None:
        one_figure = Interval(found.test.value, found.test.low, found.test.high, found.test.n)
        text = (
            f"test, scored once: {found.test.metric} {figure(one_figure)}, n {found.test.n}; run {found.run}"
        )
        console().print(escape(text), soft_wrap=True)


def plain_table(shown: panels.Table) -> None:
    """A table of a report, a cell a line with what stands under it in brackets."""
    table = Table(title=escape(shown.title), title_justify="left", box=None, pad_edge=False)
    for head in shown.heads:
        table.add_column(escape(head))
    for row in shown.rows:
        table.add_row(*(escape(f"{c.text} ({c.under})" if c.under else c.text) for c in row))
    console().print(table)
