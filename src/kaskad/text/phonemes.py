"""Phones as labels, and the phones of a text, in IPA: that of espeak-ng, or of a dictionary.

A pronunciation is written in words, too: "t͡ʃʲɑj ɕɪ". A phone is a letter, the signs that belong to
it and what is tied to it; a stress mark, where there is one, makes another phone of a vowel.
"""

import re
from collections.abc import Callable, Sequence

from kaskad import espeak
from kaskad.text.alphabet import AlphabetTokenizer
from kaskad.text.pronunciations import Pronunciations

# Where the language's own name would choose an accent that most corpora do not have.
VOICES = {"en": "en-us"}
STRESS = "ˈˌ"
_SIGN = rf"(?![{STRESS}\u0361])[\u02b0-\u036f]"  # ʲ ː and their like, marks above and below
_LETTER = rf"[^\s\u02b0-\u036f](?:{_SIGN})*"
_PHONE = re.compile(rf"[{STRESS}]?{_LETTER}(?:\u0361{_LETTER})*")
_UNSTRESSED = str.maketrans("", "", STRESS)
_PHONE_OR_BORDER = re.compile(rf"{_PHONE.pattern}| ")

# (voice, word) to its IPA with stress; forgotten when full, for a net that babbles has many words.
_cache: dict[tuple[str, str], str] = {}
_MOST_CACHED = 1_000_000


class PhonemeTokenizer(AlphabetTokenizer):
    """A label a phone, and one for the border between words.

    Transcripts become pronunciations before anything else (``spell``), references of the test
    among them: an error rate of words then takes words that sound alike for the same.

    Without ``stress``, stressed and unstressed vowels differ only where espeak-ng gives them
    another quality. ``yo_as_ye`` reads ё as е, for transcripts that do not always tell them apart.
    ``pronunciations``: dictionaries, and models that ``model=g2p`` made, to look words up in, one
    after the other, in place of espeak-ng.
    """

    def __init__(
        self,
        alphabet: Sequence[str] | None = None,
        *,
        stress: bool = False,
        yo_as_ye: bool = False,
        pronunciations: str | Sequence[str] | None = None,
    ) -> None:
        super().__init__(alphabet, yo_as_ye=yo_as_ye)
        self.stress = stress
        sources = [pronunciations] if isinstance(pronunciations, str) else pronunciations
        self.pronunciations = Pronunciations(sources) if sources else None
        self.phones = part

    def spell(self, transcripts: Sequence[str], language: str) -> list[str]:
        """Return pronunciations; raises ``ValueError`` if espeak-ng has not the language, or
        ``pronunciations`` not one of the words."""
        texts = super().spell(transcripts, language)
        if self.pronunciations is None:
            return pronounce(texts, language, stress=self.stress)
        spoken = self.pronunciations([word for text in texts for word in text.split()])
        spelt = [" ".join(spoken[word] for word in text.split()) for text in texts]
        return spelt if self.stress else [text.translate(_UNSTRESSED) for text in spelt]

    def split(self, text: str) -> list[str]:
        return _PHONE_OR_BORDER.findall(text)


def phones_of(language: str) -> Callable[[Sequence[str]], list[str]]:
    """What takes written texts to phones as ``part`` gives them, for the PER of any recogniser."""
    return lambda texts: part(pronounce(texts, language))


def pronounce(texts: Sequence[str], language: str, *, stress: bool = False) -> list[str]:
    """Return texts as they are pronounced, word by word.

    A word for which espeak-ng has no sound stays as it is written. Raises ``ValueError`` if it has
    not the language.
    """
    voice = VOICES.get(language, language)
    spelt = [" ".join(spoken) for spoken in _look_up([text.split() for text in texts], voice)]
    return spelt if stress else [text.translate(_UNSTRESSED) for text in spelt]


def _look_up(texts: Sequence[Sequence[str]], voice: str) -> list[list[str]]:
    """Look words up, having asked for all that are new at once: the engine is slow to start."""
    if len(_cache) > _MOST_CACHED:
        _cache.clear()
    new = list({word: None for words in texts for word in words if (voice, word) not in _cache})
    if new:
        spoken = espeak.pronounce(new, voice=voice)
        _cache.update({(voice, word): ipa or word for word, ipa in zip(new, spoken, strict=True)})
    return [[_cache[voice, word] for word in words] for words in texts]


def part(pronunciations: Sequence[str]) -> list[str]:
    """Return pronunciations as phones between blanks, the borders of words left out."""
    return [" ".join(_PHONE.findall(text)) for text in pronunciations]
