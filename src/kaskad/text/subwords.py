"""Subwords as labels: pieces that SentencePiece finds in training text.

Sources: Sennrich et al., "Neural Machine Translation of Rare Words with Subword Units" (ACL 2016;
BPE); Kudo, "Subword Regularization" (ACL 2018; unigram); Kudo and Richardson, "SentencePiece"
(EMNLP 2018).
"""

import base64
import io
import logging
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import sentencepiece

from kaskad.text.tokenizer import BLANK, Tokenizer

log = logging.getLogger(__name__)

ALGORITHMS = ("bpe", "unigram")
# A Cyrillic vowel is a syllable (й, which is и with U+0306, is none); of Latin ones, a group is.
_SYLLABLE = re.compile("[аеиоуыэюяіє](?!\u0306)|(?:[aeiouy][\u0300-\u036f]*)+")
_BEGIN = "▁"  # SentencePiece's mark of a word's beginning


class SubwordTokenizer(Tokenizer):
    """A label a piece of a word, or a whole frequent word; each character is a piece as well.

    ``vocabulary_size`` is the most labels there may be, the blank included: a small text has no
    more pieces to give. ``algorithm`` is ``bpe`` or ``unigram``. ``model`` is what SentencePiece
    has estimated, its file in base64; ``None`` until ``fit``. ``pieces`` is a file of SentencePiece
    that ``fit`` takes instead of estimating: that of a published model. ``yo_as_ye`` reads ё as е;
    ``stress_marks`` keeps accents on Cyrillic vowels.
    """

    def __init__(
        self,
        vocabulary_size: int = 500,
        algorithm: str = "bpe",
        model: str | None = None,
        *,
        pieces: str | None = None,
        yo_as_ye: bool = False,
        stress_marks: bool = False,
    ) -> None:
        if algorithm not in ALGORITHMS:
            raise ValueError(
                f"algorithm is {algorithm!r}; it can be one of {', '.join(ALGORITHMS)}"
            )
        self.vocabulary_size = vocabulary_size
        self.algorithm = algorithm
        self.pieces = pieces
        self.yo_as_ye = yo_as_ye
        self.stress_marks = stress_marks
        self.model: str | None = None
        if model is not None:
            self._take(model)

    def fit(self, transcripts: Iterable[str]) -> Self:
        """Learn pieces; raises ``ValueError`` if there is no room for all characters, too, or the
        file of ``pieces`` is none of SentencePiece."""
        learn = self._learn if self.pieces is None else self._read_pieces
        found = learn(list(transcripts))
        if self.model is not None and self.model != found:
            raise ValueError(
                f"this tokenizer already has {self.size} labels, estimated from another training "
                "text or in another way. Make a new tokenizer instead"
            )
        self._take(found)
        shares = ", ".join(f"{n}: {share} %" for n, share in self.summary()["syllables"].items())
        log.info(
            "%d subwords of at most %d; of so many syllables: %s",
            self.size,
            self.vocabulary_size,
            shares,
        )
        return self

    def state(self) -> dict[str, Any]:
        return {"model": self.model}

    @property
    def labels(self) -> list[str]:
        self._require_model()
        return self._labels

    def encode(self, text: str) -> list[int]:
        self._require_model()
        return [index for index in self._pieces.encode(text) if index != BLANK]

    def unknown(self, text: str) -> set[str]:
        self._require_model()
        return {letter for letter in set(text) - {" "} if self._pieces[letter] == BLANK}

    def summary(self) -> dict[str, Any]:
        """``syllables``: the percentage of pieces that have none, one, two …"""
        counts = Counter(syllables(label) for label in self.labels[1:])
        return {
            **super().summary(),
            "syllables": {
                str(count): round(100 * counts[count] / counts.total(), 1)
                for count in sorted(counts)
            },
        }

    def _learn(self, transcripts: list[str]) -> str:
        characters = set("".join(transcripts).replace(" ", _BEGIN)) | {_BEGIN}
        if characters == {_BEGIN}:
            raise ValueError(
                "the training transcripts are all empty: there are no subwords in them"
            )
        if self.vocabulary_size <= len(characters):
            raise ValueError(
                f"tokenizer.vocabulary_size is {self.vocabulary_size}, but the blank, the "
                f"beginning of a word and the characters of the training text are "
                f"{len(characters) + 1} labels: make it larger"
            )
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(transcripts),
            model_writer=model,
            model_type=self.algorithm,
            vocab_size=self.vocabulary_size,
            hard_vocab_limit=False,
            character_coverage=1.0,
            normalization_rule_name="identity",  # transcripts are normalised already
            max_sentence_length=1_000_000,  # bytes; a longer one would be dropped in silence
            unk_id=BLANK,  # the unknown is left out: its id is free for the blank
            bos_id=-1,
            eos_id=-1,
            pad_id=-1,
            minloglevel=2,
        )
        return base64.b64encode(model.getvalue()).decode()

    def _read_pieces(self, transcripts: list[str]) -> str:
        """What stands in the file of ``pieces``, which must have room for the blank."""
        try:
            model = Path(self.pieces or "").read_bytes()
            read = sentencepiece.SentencePieceProcessor(model_proto=model)
        except (OSError, RuntimeError, ValueError) as error:
            raise ValueError(
                f"tokenizer.pieces={self.pieces}: is no model of SentencePiece: {error}"
            ) from error
        if read.unk_id() != BLANK:
            raise ValueError(
                f"tokenizer.pieces={self.pieces}: its label {BLANK} is "
                f"{read.id_to_piece(BLANK)!r}, and must be the unknown, whose place the blank takes"
            )
        return base64.b64encode(model).decode()

    def _take(self, model: str) -> None:
        try:
            pieces = sentencepiece.SentencePieceProcessor(
                model_proto=base64.b64decode(model, validate=True)
            )
        except (ValueError, RuntimeError) as error:
            raise ValueError(
                f"tokenizer.model is no SentencePiece model in base64: {error}"
            ) from error
        self.model = model
        self._pieces = pieces
        found = [pieces.id_to_piece(index) for index in range(1, pieces.vocab_size())]
        self._labels = ["", *(piece.replace(_BEGIN, " ") for piece in found)]

    def _require_model(self) -> None:
        if self.model is None:
            raise ValueError("the tokenizer has no subwords yet: fit it on training text first")


def syllables(piece: str) -> int:
    """Count the syllables of a piece by its vowels, Cyrillic or Latin."""
    return len(_SYLLABLE.findall(unicodedata.normalize("NFD", piece.lower())))
