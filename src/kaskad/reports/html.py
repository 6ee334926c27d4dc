"""Pages that a browser shows without asking anybody: nothing is fetched for them."""

import base64
import io
from collections.abc import Mapping
from functools import cache, partial
from typing import Any

import jinja2
import numpy as np
import polars as pl

from kaskad.metrics.alignment import align
from kaskad.metrics.registry import shown_in
from kaskad.reports.clips import Clips, from_here
from kaskad.reports.learning import curves
from kaskad.reports.wording import decimal, saying, verdict


def render_report(report: Mapping[str, Any], language: str = "en") -> str:
    """The page of a test, in a ``language`` of ``LANGUAGES``; audio of the worst utterances is read
    from their paths, and so is that of the training utterances that are nearest to them."""
    clips, clips_of_training = Clips(), Clips()
    worst = {
        name: [
            {
                **row,
                **clips.embed(row.get("path")),
                "nearest": [
                    {**other, **clips_of_training.embed(other["train_path"])}
                    for other in _nearest(part, row["id"])
                ],
            }
            for row in part["worst"]
        ]
        for name, part in report["corpora"].items()
    }
    lines = curves(report.get("training", {}).get("curve", []))
    return _render("report.html", language, report=report, worst=worst, learning=lines)


def render_comparison(comparison: Mapping[str, Any]) -> str:
    """The page of several models side by side; audio is read from the ``path`` of each example."""
    clips = Clips()
    examples = [{**row, **clips.embed(row.get("path"))} for row in comparison["examples"]]
    return _render("comparison.html", comparison={**comparison, "examples": examples})


def render_description(description: Mapping[str, Any], picture: np.ndarray) -> str:
    """The page of a corpus, with the audio of its first sample and ``picture``, its features as a
    model sees them: (height, width), from 0, black, to 1."""
    clip = Clips().embed(description["sample"]["path"])
    return _render("description.html", description=description, clip=clip, picture=_png(picture))


def render_preview(**content: Any) -> str:
    """The page of augmented clips; their sounds and pictures lie beside it."""
    return _render("preview.html", **content)


def _render(template: str, language: str = "en", **content: Any) -> str:
    return _pages(language).get_template(template).render(**content)


@cache
def _pages(language: str) -> jinja2.Environment:
    """The templates in one language, compiled once a process: that takes as long as many pages."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("kaskad", "reports"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    say = saying(language)
    environment.install_gettext_callables(  # type: ignore[attr-defined]
        say, lambda one, several, number: say(one if number == 1 else several), newstyle=True
    )
    environment.filters["percent"] = partial(_percent, language)
    environment.filters["from_here"] = from_here
    environment.filters["number"] = partial(_number, language)
    environment.globals.update(
        shown_in=shown_in,
        align=_align,
        verdict=partial(verdict, language),
        say=say,  # of what is no sentence of a template: such may have a % in it, or a <
        page_language=language,
    )
    return environment


def _nearest(part: Mapping[str, Any], utterance: str) -> list[dict[str, Any]]:
    """The training utterances nearest to one that was tested; none where none were asked for."""
    table = part["tables"].get("nearest")
    return [] if table is None else table.filter(pl.col("id") == utterance).to_dicts()


def _percent(language: str, share: float | None, digits: int = 2) -> str:
    return "–" if share is None else f"{decimal(language, 100 * share, digits)} %"


def _number(language: str, number: int) -> str:
    separated = f"{number:,}"
    return separated.replace(",", "\N{NARROW NO-BREAK SPACE}") if language == "ru" else separated


def _png(picture: np.ndarray) -> str:
    from matplotlib.image import imsave  # slow to import, and no test's page has a picture

    file = io.BytesIO()
    imsave(file, picture, cmap="gray", vmin=0.0, vmax=1.0, format="png")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def _align(reference: str, hypothesis: str) -> list[tuple[str, str, str]]:
    """The kind of each edit, with the words of the reference and of the hypothesis."""
    (edits,) = align([reference], [hypothesis], "words")
    return [(edit.kind, *pair) for edit in edits for pair in edit.pairs()]
