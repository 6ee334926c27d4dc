"""The languages whose numerals are known."""

from kaskad.text.numerals.english import ENGLISH
from kaskad.text.numerals.russian import RUSSIAN

LANGUAGES = {"ru": RUSSIAN, "en": ENGLISH}


def require_known(code: str) -> None:
    """Raise ``ValueError`` for a language without numerals."""
    if code not in LANGUAGES:
        raise ValueError(
            f"numbers in words are known in these languages: {', '.join(LANGUAGES)}; "
            f"not in '{code}'. Choose one of them, or add its numerals to kaskad/text/numerals"
        )
