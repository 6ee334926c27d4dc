"""What the tests of decoders share: posteriors for a text, and a language model of single words."""

import math
from collections import Counter
from pathlib import Path

import pytest
import torch
from torch import Tensor

from kaskad.text.tokenizer import BLANK, Tokenizer


@pytest.fixture
def speak():
    """Log-probabilities (frames, labels) of a net that is ``sure`` of a text.

    Each label lasts two frames, and a frame of blank comes after it. In ``doubtful`` places the
    other label is just likelier than that of the text.
    """

    def posteriors(
        tokenizer: Tokenizer,
        text: str,
        sure: float = 0.9,
        doubtful: dict[int, str] | None = None,
    ) -> Tensor:
        labels = [n for label in tokenizer.encode(text) for n in (label, label, BLANK)]
        frames = torch.full((len(labels), tokenizer.size), (1 - sure) / (tokenizer.size - 1))
        frames[range(len(labels)), labels] = sure
        for place, other in (doubtful or {}).items():
            for frame in (3 * place, 3 * place + 1):
                frames[frame, tokenizer.labels.index(other)] = 1.1 * sure
        return (frames / frames.sum(1, keepdim=True)).log()

    return posteriors


@pytest.fixture
def write_arpa(tmp_path: Path):
    """Write a model of single words, as often as they occur in a text, and return its path."""

    def write(text: str, name: str = "words.arpa") -> Path:
        counts = Counter(text.split())
        total = counts.total() + 1
        words = ["-3\t<unk>", "-99\t<s>\t0", f"{-math.log10(total):.4f}\t</s>"]
        words += [f"{math.log10(n / total):.4f}\t{word}\t0" for word, n in counts.items()]
        pair = "-3\t<s> </s>"  # KenLM wants two words at least to an n-gram
        head = ["\\data\\", f"ngram 1={len(words)}", "ngram 2=1", "", "\\1-grams:"]
        lines = [*head, *words, "", "\\2-grams:", pair, "", "\\end\\", ""]
        path = tmp_path / name
        path.write_text("\n".join(lines), encoding="utf-8")
        return path

    return write
