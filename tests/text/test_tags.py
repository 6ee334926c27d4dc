"""What is not spoken becomes no word, however a corpus writes it."""

import polars as pl
import pytest

from kaskad.text.normalisation import normalise


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("as they leave <COMMA> can we go <PERIOD>", "as they leave can we go"),
        ("[noise] hello {laugh} <unk> there", "hello there"),
        ("<sil>", ""),
        ("!SIL", ""),
        ("!SIL !SIL да!", "да"),
        ("(()) well <hes> yes", "well yes"),
        ("one ((two)) three", "one two three"),
        ("[laughter-yes] ok [смех-да]", "yes ok да"),
        ("++breath++ yes SPN", "yes"),
        ("(смех) да *music* (два)", "да два"),
        ("%hesitation yes !sil /дыхание/ да", "yes да"),
        ("(laughs loudly) yes (inaudible 00:12) (пауза 3 сек) да (нрзб.)", "yes да"),
        ("5 < 6 > 4", "5 6 4"),
        ("&quot;Да&quot;&nbsp;&amp; нет", "да нет"),
        ("<b>да</b><br/>", "да"),
        ("hello!YES", "hello yes"),
        ("[незакрыто", "незакрыто"),
    ],
)
def test_tags_become_what_they_mean(written: str, spoken: str) -> None:
    assert pl.select(normalise(pl.lit(written))).item() == spoken
