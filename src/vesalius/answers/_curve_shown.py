"""What a report shows of survival curves: drawings, the table of risk groups, and the rules that figures follow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from vesalius.answers._curve_kept import HERE
from vesalius.answers.drawing import survival as draw
from vesalius.answers.drawing.figures import Figure
from vesalius.answers.drawing.panels import Cell, Table, figure, percent
from vesalius.core.called import written
from vesalius.core.horizons import named
from vesalius.core.scorecard import Scorecard
from vesalius.core.words import counted, listed

GROUPS_SAY = (
    "Kaplan–Meier's curves with 95 % bands; a mark is a patient whose follow-up ended there, and below stands how many "
    "are still under observation."
)
TRAINING_SAYS = " Groups are cut at the risks of the training cases."
HERE_SAYS = " No answer tells its rank among training cases: groups are cut at the risks of these very cases."
MEAN_SAYS = "Where the lines part, the chances are too high or too low for these patients as a whole."
CALIBRATION_SAYS = "Groups by predicted survival; on the diagonal the prediction is right. The bars are 95 %."
AUC_SAYS = (
    "How well the risk tells who has the event by a time from who is free of it then; dots are horizons."
)
TENTHS_SAY = (
    "Right chances put a tenth of the patients in each bar; who is censored counts in all bars that are left."
)
INCIDENCE_SAYS = "Aalen–Johansen's curve, in which other causes compete, and the mean of what was predicted."


def panels(card: Scorecard) -> list[Figure | Table]:
    """Return the curves of groups by risk with their numbers at risk, and what each group came to."""
    made: list[Figure | Table] = []
    for lead, told in _events(card):
        groups = told.get("groups") or []
        if not groups:
            continue
        cut = "" if len(groups) < 2 else HERE_SAYS if told["cut"] == HERE else TRAINING_SAYS
        title = lead + ("Survival by risk" if len(groups) > 1 else "Survival")
        svg = draw.by_group(groups, told["ticks"])
        made.append(Figure(title, svg, _test(told) + GROUPS_SAY + cut, wide=True))
        made.append(
            _table(f"{lead}Groups by risk" if len(groups) > 1 else f"{lead}Observed survival", groups)
        )
    return made


def figures(card: Scorecard) -> list[Figure]:
    """Return predicted against observed survival, calibration, the AUC over time and D-calibration."""
    made = []
    for lead, told in _events(card):
        if any(y is not None for y in told.get("predicted", {}).get("y", ())):
            svg = draw.against({"": (told["observed"], told["predicted"])}, "free of the event")
            made.append(Figure(f"{lead}Predicted and observed", svg, MEAN_SAYS))
        causes = {
            cause: (one["observed"], one["predicted"]) for cause, one in told.get("incidence", {}).items()
        }
        if causes:
            svg = draw.against(causes, "had it by then")
            made.append(Figure(f"{lead}Incidence by cause", svg, INCIDENCE_SAYS, wide=len(causes) > 1))
        if told.get("calibration"):
            svg = draw.calibration(told["calibration"])
            made.append(
                Figure(f"{lead}Calibration", svg, CALIBRATION_SAYS, wide=len(told["calibration"]) > 1)
            )
        if len(told.get("auc", {}).get("x", ())) > 1:
            made.append(
                Figure(f"{lead}AUC over time", draw.over_time(told["auc"], told["horizons"]), AUC_SAYS)
            )
        if told.get("tenths"):
            text = f"{_p(told['tenths']['p'])} of such shares where the chances are right. {TENTHS_SAY}"
            made.append(Figure(f"{lead}D-calibration", draw.tenths(told["tenths"]["shares"]), text))
    return made


def facts(card: Scorecard) -> list[tuple[str, str]]:
    """Return at which times curves are judged, and what must be known of causes, late entry and the risk."""
    found = []
    for lead, told in _events(card):
        horizons = (
            listed([named(h) for h in told["horizons"]])
            or "none: no event happened while enough were at risk"
        )
        found.append((f"{lead}horizons", horizons))
        last = f"day {told['end']:g}, the last at which enough patients are under observation"
        if told["told"] < told["end"]:
            last += f"; curves end before, so that chances are judged up to day {told['told']:g}"
        found.append((f"{lead}judged until", last))
        if told.get("undrawn"):
            found.append((f"{lead}not drawn", told["undrawn"]))
        if told["by"] == "curve":
            found.append((f"{lead}risk", "the area above each curve, for answers tell of no risk"))
        if told["by"] == "nothing":
            found.append((f"{lead}risk", "not known, for answers tell of none, and their curves end at once"))
        if told["causes"]:
            found.append((f"{lead}causes", _causes(told)))
        if told["late"]:
            text = f"{counted(told['late'], 'case')}: pairs count while both are under observation, and what needs "
            found.append((f"{lead}late entry", f"{text}weights by the censoring is not given"))
    return found


def case_table(card: Scorecard) -> Table | None:
    """Return all cases of a single event with what happened and their risk, the highest risk first."""
    if not card.cases or any("time_days" not in case for case in card.cases):
        return None
    horizons = card.curves.get("events", {}).get("", {}).get("horizons", [])[-1:]
    rows = []
    for case in sorted(card.cases, key=lambda c: -(c["risk"] if c["risk"] is not None else -1e300)):
        told = {float(day): value for day, value in case["curve"]["survival"].items()}
        chances = [told.get(h) for h in horizons]
        happened = "not known" if case["cause"] is None else "event" if case["cause"] else "censored"
        rows.append(
            (
                Cell(str(case["case"])),
                Cell(figure(case["time_days"], 0), case["time_days"]),
                Cell(happened),
                Cell(figure(case["risk"]), case["risk"]),
                *(Cell(percent(c), c) for c in chances),
            )
        )
    heads = ("case", "days", "what happened", "risk", *(f"survival at {named(h)}" for h in horizons))
    return Table("All cases", heads, rows, "The highest risk first.")


def _causes(told: Mapping[str, Any]) -> str:
    names = listed(told["causes"])
    if told["of"]:
        return f"{names}; asked about is {told['of']}, and other causes count as censored"
    if told.get("incidence"):
        return f"{names}; C is of each cause, patients with another one censored, chances are of being free of all"
    return f"{names}; any of them counts as the event, for answers tell them not apart"


def _table(title: str, groups: list[Mapping[str, Any]]) -> Table:
    """Return a row a group: patients, events, the median, and observed over predicted survival at each horizon."""
    horizons = list(groups[0]["at"])
    heads = ("group", "patients", "events", "median, days", *(f"survival at {h}" for h in horizons))
    rows = []
    for group in groups:
        median = group["median"]
        bounds = [figure(median[k], 0) if median[k] is not None else "not reached" for k in ("low", "high")]
        middle = Cell(
            "not reached" if median["value"] is None else figure(median["value"], 0),
            median["value"],
            f"{bounds[0]} to {bounds[1]}" if any(median[k] is not None for k in ("low", "high")) else "",
        )
        cells = [_observed(group, h) for h in horizons]
        rows.append((Cell(group["name"]), Cell(str(group["n"]), group["n"]),
                     Cell(str(group["events"]), group["events"]), middle, *cells))  # fmt: skip
    return Table(
        title,
        heads,
        rows,
        "Observed by Kaplan–Meier, 95 % interval below, and the mean of what was predicted.",
        wide=True,
    )


def _observed(group: Mapping[str, Any], horizon: str) -> Cell:
    at, predicted = group["at"][horizon], group["predicted"].get(horizon)
    said = "" if predicted is None else f"predicted {percent(predicted)}"
    if at["value"] is None:
        return Cell("not known", None, said)
    bounds = "" if at["low"] is None else f"{percent(at['low'])} to {percent(at['high'])}"
    return Cell(percent(at["value"]), at["value"], "; ".join(s for s in (bounds, said) if s))


def _test(told: Mapping[str, Any]) -> str:
    test = told.get("logrank")
    return "" if test is None else f"Log-rank test: {_p(test['p'])}. "


def _p(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def _events(card: Scorecard) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield what is kept of each event, led by its name where there are several."""
    for event, told in card.curves.get("events", {}).items():
        yield (f"{written(event)}: " if event else ""), told
