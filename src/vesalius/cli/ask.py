"""`vesalius ask`."""

from __future__ import annotations

from pathlib import Path

import typer

from vesalius.cli._app import number_or_word, pairs
from vesalius.cli._llm import chat_server
from vesalius.cli._outcome import Outcome, Talk, add


def ask(
    talk: Talk,
    bundle: Path = typer.Argument(help="A bundle, or the run that holds it."),
    source: Path = typer.Argument(metavar="CASE", help="One case, or a table of which --case names one."),
    questions: list[str] = typer.Argument(metavar="QUESTION…", help="'Is there a nodule on the left?'"),
    case: str | None = typer.Option(None, "--case", help="The id of the case, where there are several."),
    terms: str | None = typer.Option(
        None,
        "--terms",
        help="By which words findings are called: chest, ct, breast, or a YAML file.",
        show_default="all of ours",
    ),
    sure: float = typer.Option(
        0.75, "--sure", help="The least probability with which a question is answered by yes or no."
    ),
    llm: str | None = typer.Option(
        None, "--llm", metavar="URL", help="Ask a server of chat completions beside; only findings leave."
    ),
    llm_model: str = typer.Option("default", "--llm-model", help="With --llm: which model it is asked for."),
    llm_allow: list[str] | None = typer.Option(
        None, "--llm-allow", metavar="HOST", help="With --llm: a host beyond this machine that may be asked."
    ),
    llm_key: Path | None = typer.Option(
        None, "--llm-key", metavar="FILE", help="With --llm: a file that holds its key."
    ),
    covariate: list[str] | None = typer.Option(
        None, "--covariate", help="NAME=VALUE that is known of the patient; can be repeated."
    ),
    column: list[str] | None = typer.Option(
        None, "--column", help="ROLE=NAME of a table's column; can be repeated."
    ),
    layout: str | None = typer.Option(None, "--layout", help="How to read it; see `vesalius layouts`."),
    accept_mismatch: bool = typer.Option(
        False,
        "--accept-mismatch",
        help="Answer an image of another modality or unit than the bundle learned from.",
    ),
    device: str | None = typer.Option(
        None, "--device", help="cpu, cuda, …", show_default="a GPU where there is one"
    ),
) -> Outcome:
    """Answer questions about one case from what a bundle's answer states, and say so where it cannot be told."""
    from vesalius.verbs.ask import ask as verb

    server = chat_server(llm, model=llm_model, allowed=llm_allow, key=llm_key)
    found = verb(
        bundle,
        source,
        questions,
        case=case,
        terms=terms,
        sure=sure,
        llm=server,
        covariates={k: number_or_word(v) for k, v in pairs(covariate, "--covariate").items()},
        columns=pairs(column, "--column"),
        layout=layout,
        device=device,
        accept_mismatch=accept_mismatch,
    )

    def show() -> None:
        for reply in found.replies:
            about = f"{reply.finding}: " if reply.finding else ""
            typer.echo(f"{about}{reply.says}  ({reply.because})")
        if found.adjunct is not None:
            told = found.adjunct.json()
            typer.echo(f"\n{told['notice']}")
            for sentence in told["sentences"]:
                why = f"  [not borne out: {sentence['why']}]" if sentence["supported"] is False else ""
                typer.echo(f"  {sentence['text']}{why}")

    return Outcome(found.json(), show, warnings=[("note", found.silent)] if found.silent else [])


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "ask", ask)
