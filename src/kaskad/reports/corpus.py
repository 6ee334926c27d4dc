"""What a corpus holds, as tables on the console."""

from collections.abc import Mapping
from typing import Any

import polars as pl
from rich.console import Console
from rich.markup import escape
from rich.table import Table

BAR = 40  # characters, the longest
SHOWN = 5  # rows of a kind, and speakers


def show_description(description: Mapping[str, Any], console: Console) -> None:
    """Print the tables of a description; of the long ones, which description.html has, a part."""
    _print(console, description["title"], description["corpora"])
    speakers = description["speakers"]
    if speakers.height:
        _print(console, f"speakers, {SHOWN} of {speakers.height}", speakers.head(SHOWN))
    lengths = description["lengths"]
    most = lengths["utterances"].max()
    bars = pl.Series([BAR * count // most * "█" for count in lengths["utterances"]])
    _print(console, "lengths, s", lengths.with_columns(bars.alias("")))
    console.print(_alphabets(description["alphabet"]))
    for name in ("longest", "shortest"):
        _print(console, f"the {name}", description[name])
    suspicious = description["suspicious"]
    if suspicious.is_empty():
        console.print("nothing suspicious was found")
        return
    counts = dict(suspicious["kind"].value_counts().iter_rows())
    firsts = suspicious.group_by("kind", maintain_order=True).head(SHOWN)
    listed = ", ".join(
        f"{kind} {counts[kind]}" for kind in firsts["kind"].unique(maintain_order=True)
    )
    _print(console, f"suspicious: {listed}; suspicious.csv has all", firsts)


def _alphabets(alphabet: pl.DataFrame) -> str:
    """A line a language; red are the characters that may not belong there."""
    lines = []
    seen = alphabet.with_columns(pl.col("character").replace(" ", "␣"))
    for (language,), part in seen.group_by("language", maintain_order=True):
        counted = (
            f"[bold red]{character}[/] {count}" if foreign else f"{character} {count}"
            for character, count, foreign in part.select("character", "count", "foreign").rows()
        )
        lines.append(f"alphabet of {language}, {part.height}: {' · '.join(counted)}\n")
    return "\n".join(lines)


def _print(console: Console, title: str, table: pl.DataFrame) -> None:
    shown = Table(title=title, title_justify="left")
    for name, kind in table.schema.items():
        shown.add_column(name.replace("_", " "), justify="right" if kind.is_numeric() else "left")
    for row in table.iter_rows():
        shown.add_row(*map(_cell, row))
    console.print(shown)


def _cell(value: str | float | None) -> str:
    if value is None:
        return "–"
    if isinstance(value, str):
        return escape(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"


def show_contents(
    usable: dict[str, pl.DataFrame], rest: dict[str, pl.DataFrame], console: Console
) -> None:
    """Print utterances, hours, speakers and what had to be left out, a row a corpus."""
    shown = Table()
    for title in ("corpus", "utterances", "hours", "speakers", "longest, s", "left out"):
        shown.add_column(title, justify="left" if title == "corpus" else "right")
    for name, table in usable.items():
        seconds = table["duration"]
        speakers = str(table["speaker"].n_unique()) if "speaker" in table.columns else "?"
        shown.add_row(
            name,
            str(table.height),
            f"{seconds.sum() / 3600:.2f}",
            speakers,
            f"{seconds.to_numpy().max(initial=0.0):.1f}",
            str(rest[name].height),
        )
    console.print(shown)
