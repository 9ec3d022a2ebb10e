"""label: what reports say of findings, read by rules or by a bundle, as labels of the images beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import get_args

from vesalius import cohorts
from vesalius.core.cohort import Cohort
from vesalius.core.disk import assert_apart, held, output_errors
from vesalius.core.errors import DataError, OutputError, UnknownName
from vesalius.core.finding import Status
from vesalius.core.progress import Progress, watched
from vesalius.core.words import counted, listed
from vesalius.plan import machine as machines
from vesalius.run.finished import Run, bundle_of
from vesalius.run.labelling.readers import by_bundle, read_by_bundle, read_by_rules, ruled
from vesalius.run.labelling.result import Labelled, Labeller, Read, Unsure, label_of
from vesalius.run.labelling.writing import (
    SAID,
    TABLE,
    as_json,
    columns_of,
    found_in,
    write_record,
    write_said,
    write_table,
)
from vesalius.texts.suiting import sentences_read, suited
from vesalius.texts.terms import Terms
from vesalius.verbs.predict import predict

__all__ = ["Labelled", "label"]
RULES = "rules"
PRESENT: tuple[Status, ...] = ("present",)


def label(
    data: Path | str | Cohort,
    out: Path | str,
    *,
    terms: Terms | Path | str = "chest",
    by: Run | Path | str = RULES,
    uncertain: Unsure = "unknown",
    unmentioned: Unsure = "absent",
    actionable: Sequence[str] = (),
    columns: Mapping[str, str] | None = None,
    layout: str | None = None,
    max_set_aside: float = 0.10,
    progress: Progress | bool | None = None,
) -> Labelled:
    """Read reports into labels: which findings they name, and of which of them somebody has to be told.

    Writes a new cohort: `labels.csv`, a row a case with its images, 1 or 0 for each finding, and nothing where it is
    not known; `said.csv`, what was read in which sentence and by which words; `labels.json`, who read (the version of
    the rules, the terms and their SHA-256, or the bundle's hash) and how often each finding is there. Nothing in `data`
    is changed. A label is what a report says, which need not be what its image shows.

    Args:
        data: A path as for `read`, or a cohort, with reports.
        out: A new folder.
        terms: The findings to look for: `chest`, `ct`, `breast`, or a YAML file of your own.
        by: `rules`, or a bundle that classifies reports.
        uncertain: What a finding becomes that a report only suspects: `unknown`, `present` or `absent`.
        unmentioned: What a finding becomes that a report does not speak of: `absent`, as radiologists leave out what is
            not there, or `unknown`.
        actionable: The labels of a bundle of which somebody has to be told; terms say this themselves.
        columns: What a table's columns are, where their names do not tell.
        layout: How to read it, where it could be read in several ways; one of `vesalius layouts`.
        max_set_aside: The share of faulty cases to bear.
        progress: A `Progress`; True, False or None: by default a bar shows itself on a terminal and in a notebook.

    Returns:
        Where the new cohort lies, its findings, and which cases are actionable.

    Raises:
        DataError: There is no report, no report names a finding, or the bundle does not score labels of reports.
        UnknownName: There are no such terms, column or label.
        OutputError: `out` holds something.
    """
    shown, folder = watched(progress), Path(out)
    for name, value in (("uncertain", uncertain), ("unmentioned", unmentioned)):
        if value not in get_args(Unsure):
            raise UnknownName(f"way to count what is {name}", value, get_args(Unsure))
    chosen = terms if isinstance(terms, Terms) else Terms.asked(str(terms))
    if not isinstance(data, Cohort):
        assert_apart(Path(data), folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputError(f"{folder} exists; nothing is overwritten", hint="another -o")
    cohort = cohorts.check(
        data
        if isinstance(data, Cohort)
        else cohorts.read(Path(data), max_set_aside=1.0, columns=columns, layout=layout),
        progress=shown,
        max_set_aside=max_set_aside,
        workers=machines.measure().workers,
    )
    for item in cohort.set_aside:
        shown.note(f"set aside: {item.case}: {item.reason}")
    if not any(case.report for case in cohort.cases):
        raise DataError(
            "no case has a report to read",
            found=counted(len(cohort.cases), "case"),
            hint="--column report=NAME",
        )
    labeller, read = (
        _by_rules(cohort, chosen, shown) if by == RULES else _by_bundle(cohort, by, tuple(actionable))
    )
    findings = found_in(labeller, read)
    if not findings:
        raise DataError(
            "no report says that one of these findings is there",
            found=f"{counted(len(read), 'case')}, {counted(len(labeller.names), 'finding')} looked for",
            hint="--terms, other terms",
        )
    notes = (*_notes(labeller, read, findings, uncertain, unmentioned), *_better(by, chosen, cohort))
    document = as_json(
        cohort, labeller, read, findings, uncertain=uncertain, unmentioned=unmentioned, notes=notes
    )
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with held(folder):
        write_said(folder, labeller, read)
        write_record(folder, document)
        write_table(folder, cohort, read, findings, uncertain=uncertain, unmentioned=unmentioned)
    for note in notes:
        shown.note(note)
    return Labelled(
        folder / TABLE,
        folder / SAID,
        tuple(columns_of(findings).values()),
        len(read),
        document["reports"],
        document["unread"],
        tuple(document["actionable"]),
        notes,
        document,
    )


def _better(by: Run | Path | str, terms: Terms, cohort: Cohort) -> tuple[str, ...]:
    """Return that other terms of ours read more of these reports, where they do."""
    if by != RULES:
        return ()
    reports = [case.report for case in cohort.cases if case.report]
    other = suited(reports)
    own, more = sentences_read(terms, reports), sentences_read(other, reports)
    if other.name == terms.name or more <= own:
        return ()
    return (
        f"the terms '{other.name}' read {counted(more, 'sentence')} of the first reports and '{terms.name}' {own}; "
        f"--terms {other.name}, if they are of that kind",
    )


def _by_rules(cohort: Cohort, terms: Terms, shown: Progress) -> tuple[Labeller, dict[str, Read]]:
    shown.start("reports", len(cohort.cases))
    read = {}
    for case in cohort.cases:
        read[case.id] = read_by_rules(case, terms)
        shown.advance("reports")
    shown.finish("reports")
    return ruled(terms), read


def _by_bundle(
    cohort: Cohort, by: Run | Path | str, told: tuple[str, ...]
) -> tuple[Labeller, dict[str, Read]]:
    bundle = bundle_of(by)
    if not any(stage.plan.sources.texts for stage in bundle.stages):
        raise DataError(
            "this bundle reads no reports: what it says would be of the images",
            found=f"{bundle.stages[-1].plan.task.name}, sources.texts=[]",
            hint="""a bundle of `vesalius fit --set 'sources.texts=["report"]'`""",
        )
    answers = predict(bundle, cohort)
    actionable = dict.fromkeys(told, PRESENT)
    read = {}
    for case in cohort.cases:
        answer = partial(answers.__getitem__, case.id)
        read[case.id] = read_by_bundle(case, answer, actionable=actionable)
    labels = tuple(dict.fromkeys(name for one in read.values() for name in one.statuses))
    if strange := [name for name in told if name not in labels]:
        raise UnknownName("label of the bundle", strange[0], labels)
    return by_bundle(bundle, labels, actionable=actionable), read


def _unknown(one: Read, name: str, uncertain: Unsure, unmentioned: Unsure) -> bool:
    return label_of(one.statuses.get(name), uncertain=uncertain, unmentioned=unmentioned) is None


def _notes(
    labeller: Labeller,
    read: Mapping[str, Read],
    findings: Sequence[str],
    uncertain: Unsure,
    unmentioned: Unsure,
) -> Iterator[str]:
    done = [one for one in read.values() if not one.why]
    unread = [case for case, one in read.items() if one.why]
    if unread:
        yield f"{counted(len(unread), 'case')} without labels, as there is no report to read: {listed(unread, 3)}"
    doubted = sum(status == "uncertain" for one in done for status in one.statuses.values())
    if doubted:
        many = counted(doubted, "finding is", "findings are")
        yield f"{many} only suspected, and counted as {uncertain} (--uncertain)"
    if labeller.by == RULES:
        silent = sum(name not in one.statuses for one in done for name in findings)
        share = silent / max(1, len(done) * len(findings))
        yield f"what a report does not speak of is counted as {unmentioned} (--unmentioned): {share:.0%} of all labels"
    holes = sum(any(_unknown(one, name, uncertain, unmentioned) for name in findings) for one in done)
    if holes:
        many = counted(holes, "case has", "cases have")
        yield f"{many} a finding that is not known: no target where all are named together"
    if nothing := sum(not one.statuses for one in done):
        yield f"{counted(nothing, 'report names', 'reports name')} none of the findings that were looked for"
