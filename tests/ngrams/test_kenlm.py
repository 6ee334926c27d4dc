"""Language models are read as KenLM reads them: with blank lines, packed, or in its own format."""

import base64
import gzip
import zlib
from pathlib import Path

import kenlm
import pytest

from kaskad.ngrams.kenlm import is_language_model, open_language_model, read_vocabulary
from kaskad.text.characters import CharacterTokenizer

ARPA = """
# made by hand
\\data\\
ngram 1= 5
ngram  2=1

\\1-grams:
-3\t<unk>
-99\t<s>\t0

-0.5\t</s>
  -0.5\tодин\t0
-0.5\tдва

\\2-grams:
-3\t<s> </s>

\\end\\
  """
# What build_binary makes of it, packed.
BINARY = (
    "eNrLzU0sUMjJVcgoKSmw0tfPzkhNTMtMzUnRS87P1U/OT0lVSMsvyk0sUShLLSrOzM9TMOViQIAGeyCxnxFI/AcCkA"
    "gjVIYJTB6wRxZjhdKMDKgAJF5Qp7jXsq0UQy6VrXZr5WavAmY0ca6c7x9rix9kg+z5sllzx/7A+FssDOjA4QDIkQwM"
    "xw5BBewhfIb9aDQYsFQymhy6MZMTqg8ObErzsu0YbIqBWB9IXNh3YcuFHRf2MgCpTRc2MAAAJPZBUA=="
)


@pytest.fixture
def models(tmp_path: Path) -> dict[str, Path]:
    files = {name: tmp_path / name for name in ("plain.arpa", "crlf.arpa", "m.arpa.gz", "m.bin")}
    files["plain.arpa"].write_text(ARPA, encoding="utf-8")
    files["crlf.arpa"].write_bytes(ARPA.replace("\n", "\r\n").encode())
    files["m.arpa.gz"].write_bytes(gzip.compress(ARPA.encode()))
    files["m.bin"].write_bytes(zlib.decompress(base64.b64decode(BINARY)))
    return files


@pytest.mark.parametrize("name", ["plain.arpa", "crlf.arpa", "m.arpa.gz", "m.bin"])
def test_what_kenlm_reads_is_read(name: str, models: dict[str, Path]) -> None:
    kenlm.Model(str(models[name]))  # it reads this
    assert read_vocabulary(models[name]) == {"один", "два"}
    assert is_language_model(models[name])


def test_what_is_no_model_is_known(models: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "words.arpa").write_text("один\nдва\n", encoding="utf-8")
    assert not is_language_model(tmp_path / "words.arpa")
    torn = gzip.compress(ARPA.encode())[:-20]
    models["m.arpa.gz"].write_bytes(torn)
    with pytest.raises(ValueError, match=r"m\.arpa\.gz: KenLM cannot read it"):
        open_language_model(models["m.arpa.gz"], CharacterTokenizer().fit(["один два"]))
