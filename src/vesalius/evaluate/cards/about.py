"""About: what only a person knows of a model: its maker, its use, its ethics; each field asks for one thing."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from vesalius.core.errors import PlanError, UnknownName
from vesalius.core.fields import Unfit, dotted, place, said

LONGEST = 4000  # letters of one entry
_PATH = re.compile(r"(?:^|[\s\"'(=:])(?:~?/[\w.@-]+/[\w.@-]|[A-Za-z]:\\\w|\\\\\w|file:/)")
HEAD = """\
# What only a person knows of a model, for its card, its change-control plan and its checklists:
#
#     vesalius fit DATA --about FILE                it goes into the bundle
#     vesalius card RUN --about FILE -o OUT   it goes into this card alone
#
# Leave out, or leave empty, what is not known: the card then says that it is open. Write no patient's name, no path.
"""
MORE = """\

# What a checklist asks and the fields above do not hold, and what does not apply, each with the reason:
# items: {"tripod 3a": "…", "claim 3": "…"}
# not_applicable: {"tripod 6c": "No treatment is given before the image is taken."}
"""


def _one_text(value: Any) -> Any:
    """Return a text, or the entries of a list as one; empty where nothing is written. Raises Unfit for a path in it."""
    if isinstance(value, list | tuple) and all(isinstance(v, str) for v in value):
        value = "; ".join(v.strip() for v in value if v.strip())
    if value is None:
        return ""
    if isinstance(value, bool | int | float):
        raise Unfit("must be a text", hint="quotes around it")
    if not isinstance(value, str):
        return value
    text = " ".join(value.split())
    if _PATH.search(text):
        raise Unfit(
            "names a path of this machine, which has no place in a card", hint="a name without the path"
        )
    return text


Words = Annotated[str, BeforeValidator(_one_text), Field(max_length=LONGEST)]


def _asks(text: str) -> Any:
    """Return a field whose description is what the maker is asked for."""
    return Field("", description=text)


class About(BaseModel):
    """What its maker says of a model; every field may be left out, and the card then says that it is open.

    A field's description is what the template and an open entry ask for. `items` are answers to single items of a
    checklist (`"tripod 3a"`), `not_applicable` the reasons why one does not apply.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    maker: Words = _asks("the person or organisation that makes the model")
    contact: Words = _asks("where questions and complaints go")
    version: Words = _asks("the maker's own name of this version")
    licence: Words = _asks("the licence of the model")
    citation: Words = _asks("how the model is to be cited, and where more is written of it")
    intended_use: Words = _asks("what the model is for, and where in the care of a patient it is used")
    users: Words = _asks("who uses it, and with which training")
    population: Words = _asks("the patients that it is meant for")
    indications: Words = _asks("when it is to be used")
    contraindications: Words = _asks("when it must not be used")
    out_of_scope: Words = _asks("uses that it was not made for")
    background: Words = _asks("the clinical question, why a model is made, and which models there are")
    objectives: Words = _asks("the aims and hypotheses of the study")
    study_design: Words = _asks("prospective or retrospective, and the goal of the study")
    inequalities: Words = _asks("known inequalities in health between groups of these patients")
    factors: Words = _asks("groups of people, devices and settings for which it may work differently")
    data_source: Words = _asks(
        "where the images come from: registry, routine care, trial; which sites; why these"
    )
    data_dates: Words = _asks("the first and the last date of the images and of the follow-up")
    setting: Words = _asks("the setting of care, and the number and place of the centres")
    eligibility: Words = _asks("which patients and images were taken in and which were not")
    treatments: Words = _asks("treatments that patients had, and how they were regarded")
    acquisition: Words = _asks("scanners, protocols and contrast")
    deidentification: Words = _asks("how the images were de-identified")
    reference_standard: Words = _asks("how the truth was found, when, and why in this way")
    annotators: Words = _asks(
        "who drew or read the truth, with which experience, and what they knew of the case"
    )
    annotator_agreement: Words = _asks("how well readers agree with one another and with themselves")
    sample_size: Words = _asks("how the number of patients was arrived at, and why it is enough")
    missing_data: Words = _asks("what was missing, and how that was handled")
    demographics: Words = _asks("age, sex and other traits of the patients in each part of the data")
    external_testing: Words = _asks("how it was tested on data of other places")
    ethics_approval: Words = _asks("the committee that approved the study, with its number")
    consent: Words = _asks("whether patients agreed, or why that was waived")
    risks: Words = _asks("what a wrong answer does to a patient, and what is done against it")
    fairness: Words = _asks("what was done so that no group is served worse")
    caveats: Words = _asks("what else a user must know")
    recommendations: Words = _asks("what a site should do before and while it uses the model")
    poor_input: Words = _asks("what is done with poor or missing images")
    next_steps: Words = _asks("what is to be studied next")
    funding: Words = _asks("who paid, and what say they had")
    conflicts: Words = _asks("conflicts of interest")
    protocol: Words = _asks("where the protocol of the study is, or that there is none")
    registration: Words = _asks("the registration of the study, or that there is none")
    data_availability: Words = _asks("who can have the data, and how")
    code_availability: Words = _asks("who can have the code and the model, and how")
    involvement: Words = _asks("how patients and the public took part")
    changes: Words = _asks("who may change the model, how often, and at which sites")
    monitoring: Words = _asks("how it is watched while it is used, and who is told of a change")
    items: dict[str, Words] = {}
    not_applicable: dict[str, Words] = {}

    def of(self, checklist: str, number: str) -> str:
        """Return what the maker says of one item of a checklist; empty where nothing."""
        return self.items.get(f"{checklist} {number}", "")

    def plain(self) -> dict[str, Any]:
        """Return what is given as plain data, without the fields that are not."""
        return {name: value for name, value in self.model_dump(mode="json").items() if value}


NOTHING = About()


def asked_for(field: str) -> str:
    """Return what a field asks its maker for."""
    return About.model_fields[field].description or field


def parse_about(data: Mapping[str, Any]) -> About:
    """Return what a mapping says, as `About.plain` gives it. Raises PlanError, UnknownName."""
    try:
        return About.model_validate(dict(data))
    except ValidationError as error:
        first = error.errors()[0]
        where = dotted(place(first))
        if first["type"] == "extra_forbidden":
            raise UnknownName("field of what is known of a model", where, list(About.model_fields)) from error
        what, found, hint = said(first)
        raise PlanError(f"about: {where}{what}", found=found, hint=hint) from error


def template() -> str:
    """Return an empty file for a person to fill in: every field with what it asks for."""
    rows = [
        f"{name}: {json.dumps('')}  # {info.description}"
        for name, info in About.model_fields.items()
        if info.description
    ]
    return HEAD + "\n" + "\n".join(rows) + "\n" + MORE
