"""A text that is not UTF-8 is named by the encoding that it is in, short as it may be."""

import pytest

from kaskad.text.encodings import guess_encoding


@pytest.mark.parametrize(
    ("text", "encodings"),
    [
        ("path,text\n1.wav,да\n", ["cp1251", "koi8-r", "cp866", "utf-16", "utf-16-le"]),
        ("path;text\n1.wav;ДА НЕТ ПРИВЕТ\n", ["cp1251", "koi8-r", "cp866", "utf-16-be"]),
        ("1.wav,Включи свет на кухне\n2.wav,ok\n", ["cp1251", "koi8-r", "cp866", "mac-cyrillic"]),
        ("1.wav,Привіт, як справи?\n", ["cp1251", "utf-32"]),
        ("1.wav,für schöne Grüße\n", ["cp1252", "utf-16"]),
        ("1.wav,déjà vu, à bientôt\n", ["cp1252"]),
        ("1.wav,zażółć gęślą jaźń\n", ["cp1250"]),
    ],
)
def test_the_encoding_is_found(text: str, encodings: list[str]) -> None:
    assert [guess_encoding(text.encode(name)) for name in encodings] == encodings
