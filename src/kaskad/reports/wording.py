"""The text of pages in the languages there are. Templates are in English."""

from collections.abc import Callable, Mapping
from typing import Any

from kaskad.reports.russian import RUSSIAN

LANGUAGES = ("en", "ru")


def page_language(settings: Mapping[str, Any] | None) -> str:
    """The language that the settings ``report`` ask for; old runs have none. Raises as
    ``saying`` does."""
    language = str((settings or {}).get("language", "en"))
    saying(language)
    return language


def saying(language: str) -> Callable[[str], str]:
    """Return what translates a sentence of a template into ``language``: one without a translation
    stays in English. Raises ``ValueError`` for a language without translations."""
    if language not in LANGUAGES:
        known = ", ".join(LANGUAGES)
        raise ValueError(f"report.language={language}: pages are written in {known}")
    if language == "en":
        return lambda sentence: sentence
    return lambda sentence: RUSSIAN.get(sentence, sentence)


def decimal(language: str, number: float, digits: int) -> str:
    """A number with so many decimals, after a comma where the language has it so."""
    written = f"{number:.{digits}f}"
    return written.replace(".", ",") if language == "ru" else written


def verdict(language: str, part: Mapping[str, Any]) -> str:
    """How good a model is on a corpus, in a sentence."""
    figures, utterances = part["figures"], part["utterances"]
    exact = figures.get("sentence_accuracy", figures.get("accuracy"))
    if exact is None:
        return ""
    say = saying(language)
    exactly = say("Of %(utterances)s utterances %(exact)s are exactly right") % {
        "utterances": utterances,
        "exact": round(exact * utterances),
    }
    if "words" not in part:
        return f"{exactly}."
    words = part["words"]
    wrong = words["substitutions"] + words["deletions"] + words["insertions"]
    errors = say("there are %(errors)s errors in %(words)s words")
    return f"{exactly}; {errors % {'errors': wrong, 'words': words['reference']}}."
