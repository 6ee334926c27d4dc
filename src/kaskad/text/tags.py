"""What stands in transcripts and is not spoken: noises, silence, unknown words, names of marks.

Switchboard and Fisher write [noise], {laugh}, ((two)), [laughter-yes]; HTK !SIL; Gigaspeech
<COMMA>; Kaldi [NOISE], <UNK>, SPN; CMU ++breath++; subtitles (смех), *music*.
"""

import polars as pl

_NOISES = (
    "noise noises laughter laugh laughs laughing cough coughs coughing breath breathing inhale "
    "exhale sigh sneeze music silence pause inaudible unintelligible crosstalk applause click beep "
    "static hesitation sil шум шумы смех смеется смеётся кашель кашляет вдох выдох вздох дыхание "
    "музыка тишина пауза неразборчиво нрзб помехи аплодисменты гудок"
)
_NOISE = f"(?i:{'|'.join(_NOISES.split())})"
# (laughs loudly), (inaudible 00:12), (пауза 3 сек), (нрзб.)
_REMARK = r"(?:\.|\s+\p{L}+|\s+\d[\d:.,]*(?:\s*\p{L}{1,3}\.?)?)?"
# A word spoken with laughter is a word.
_LAUGHED = r"\[(?i:laughter|laugh|cough|breath|noise|смех)-([^\[\]]{1,80})\]"
TAG = "|".join(
    (
        r"\[[^\[\]]{0,80}\]",
        r"\{[^{}]{0,80}\}",
        r"</?\p{L}[^<>]{0,80}>",
        r"\+\+[^+\s]{1,40}\+\+",
        r"\B!\p{Lu}[\p{Lu}_\-]+",
        rf"\B[!%]{_NOISE}\b",
        r"\b(?:SPN|NSN|SIL|UNK)\b",
        rf"\(\s*{_NOISE}{_REMARK}\s*\)",
        rf"/\s*{_NOISE}\s*/",
        rf"\*\s*{_NOISE}\s*\*",
    )
)
# Characters as web pages write them.
_ENTITIES = {
    "&nbsp;": " ",
    "&quot;": '"',
    "&apos;": "'",
    "&#39;": "'",
    "&lt;": " ",
    "&gt;": " ",
    "&amp;": "&",
}


def without_tags(text: pl.Expr) -> pl.Expr:
    """Return ``text`` without tags; words spoken with laughter or understood in part stay."""
    for written, meant in _ENTITIES.items():
        text = text.str.replace_all(written, meant, literal=True)
    return text.str.replace_all(_LAUGHED, " $1 ").str.replace_all(TAG, " ")


def tags_in(text: pl.Expr) -> pl.Expr:
    """Return the tags of each text, a list."""
    return text.str.extract_all(TAG)
