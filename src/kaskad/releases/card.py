"""CARD.md: a model card as Hugging Face has them, from what is known of a release.

The form is that of "Model Cards" in the documentation of the Hugging Face Hub: a header in YAML,
with the figures as a ``model-index``, and sections for people. After Mitchell et al., "Model Cards
for Model Reporting" (2019).
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jinja2
import yaml

from kaskad.metrics.registry import METRICS

CARD = "CARD.md"
NOT_STATED = "not stated."
TASKS = {
    "Recogniser": "automatic-speech-recognition",
    "WordClassifier": "audio-classification",
    "LanguageModel": "text-generation",
}
SHOWN = (
    "wer",
    "cer",
    "sentence_accuracy",
    "number_accuracy",
    "per",
    "balanced_accuracy",
    "perplexity",
)
Facts = Mapping[str, Any]


def card(facts: Facts, report: Facts) -> str:
    """The text of CARD.md, from what release.json and report.json say."""
    results = list(results_of(report))
    template = jinja2.Environment(keep_trailing_newline=True, autoescape=False).from_string(
        Path(__file__).with_name("card.md").read_text(encoding="utf-8")
    )
    comparison = facts.get("compared_with")
    text = template.render(
        dict(facts)
        | {
            "header": _header(facts, results),
            "folder": facts["name"],
            "results": results,
            "parameters": report.get("parameters", "not known"),
            "overlap": _overlap(facts["overlap"]),
            "comparison": comparison,
            "compared": list(compared(comparison)) if comparison else [],
            "purpose": facts["purpose"] or "What it is for is not stated.",
            "limits": facts["limits"] or NOT_STATED.capitalize(),
            "data_licence": facts["data_licence"] or NOT_STATED,
            "author": facts["author"] or "not stated",
        }
    )
    return text.rstrip() + "\n"


def compared(comparison: Facts) -> Iterator[str]:
    """The comparison with an earlier release, a sentence a corpus."""
    for corpus, part in comparison["corpora"].items():
        figures = [
            f"{METRICS[name].title} {METRICS[name].unit.write(each['value'])}, "
            f"{100 * each['difference']:+.2f} points: {each['verdict']}"
            for name, each in part["figures"].items()
            if name in SHOWN
        ]
        yield f"{corpus} ({part['utterances']} utterances): {'; '.join(figures)}"
    if not comparison["corpora"]:
        yield "both were tested on no utterance in common"


def results_of(report: Facts) -> Iterator[dict[str, Any]]:
    """The figures of a report that a reader looks for first, a row each."""
    for corpus, part in report.get("corpora", {}).items():
        intervals = part.get("intervals", {})
        for name in SHOWN:
            if name not in part.get("figures", {}):
                continue
            metric, value = METRICS[name], part["figures"][name]
            low_high = [metric.unit.write(each) for each in intervals.get(name, [])]
            yield {
                "corpus": corpus,
                "utterances": part.get("utterances", "–"),
                "figure": name,
                "number": value,
                "title": metric.title,
                "value": metric.unit.write(value),
                "interval": " to ".join(low_high) or "–",
            }


def _header(facts: Facts, results: list[dict[str, Any]]) -> str:
    languages = sorted({corpus["language"] for corpus in facts["corpora"]})
    task = TASKS[facts["kind"]]
    header: dict[str, Any] = {
        "library_name": "kaskad",
        "pipeline_tag": task,
        "language": languages,
        "license": facts["licence"] or "unknown",
        "tags": ["kaskad", facts["choices"].get("model") or facts["kind"]],
        "metrics": sorted({row["figure"] for row in results}),
        "model-index": [
            {
                "name": facts["name"],
                "results": [
                    {
                        "task": {"type": task},
                        "dataset": {"name": row["corpus"], "type": row["corpus"]},
                        "metrics": [
                            {"type": row["figure"], "name": row["title"], "value": row["number"]}
                        ],
                    }
                    for row in results
                ],
            }
        ],
    }
    return yaml.safe_dump(header, allow_unicode=True, sort_keys=False)


def _overlap(verdict: Facts | None) -> str:
    if verdict is None:
        return "not known, for the run has no report."
    found = [
        f"{each['utterances']} of {each['of']} utterances of {each['corpus']} have the same "
        f"{each['kind'].replace('_', ' ')} ({each['policy']})"
        for each in verdict["found"]
    ]
    return f"{'; '.join(found)}." if found else "nothing was found."
