"""The application that every command belongs to."""

import typer

app = typer.Typer(
    name="flconsole",
    help="Federated learning over Kafka, run by an operator from a terminal.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
