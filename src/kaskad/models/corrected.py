"""A recogniser whose hypotheses a corrector looks through."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from kaskad.data.batch import Batch
from kaskad.data.corrections import Sentence
from kaskad.data.edits import is_word
from kaskad.decoding.hypothesis import Hypothesis, Word
from kaskad.decoding.rescoring import require_spelling
from kaskad.models.corrector import Corrected, Corrector
from kaskad.models.recogniser import Recogniser
from kaskad.runs.checkpoints import CheckpointError, find_checkpoint, settings_of
from kaskad.runs.trusted_parts import load_model

ANOTHER = "give another (corrector=…), or null for none"


def correct_with(recogniser: Recogniser, path: str | Path, language: str) -> None:
    """Have a recogniser of a ``language`` correct what it decodes by the corrector of a run.

    ``uncorrected`` of each hypothesis is what it was before. Raises ``CheckpointError`` where the
    run is that of no corrector, or of one of another language, and ``ValueError`` where it reads
    other letters than the recogniser writes.
    """
    found = find_checkpoint(Path(path))
    corrector, config = load_model(found)
    if not isinstance(corrector, Corrector):
        raise CheckpointError(
            f"{found}: a {type(corrector).__name__}, and no corrector, as python train.py "
            f"model=corrector makes; {ANOTHER}"
        )
    if recogniser.target != "text":
        raise CheckpointError(
            f"the recogniser recognises {recogniser.target}, and a corrector corrects texts: leave "
            "corrector=… out"
        )
    corpora = settings_of(config, "data.corpora", found, dict).values()
    languages = sorted({str(corpus["language"]) for corpus in corpora})
    if language not in languages:
        raise CheckpointError(
            f"{found}: a corrector of the language {', '.join(languages)}, and the recogniser is "
            f"of {language}; {ANOTHER}"
        )
    written = set("".join(recogniser.tokenizer.labels)) - {" "}
    known = set("".join(corrector.letters.labels)) - {" "}
    require_spelling(found, "corrector", written, written - known, known, ANOTHER)
    decode = recogniser.decode

    def decode_and_correct(batch: Batch) -> list[Hypothesis]:
        return corrected(corrector, decode(batch))

    recogniser.decode = decode_and_correct  # type: ignore[method-assign]


def corrected(corrector: Corrector, hypotheses: Sequence[Hypothesis]) -> list[Hypothesis]:
    """Hypotheses with the words of the corrector; a word has the times of the one in whose place it
    stands, or of the gap, and its confidence is the probability of the edit."""
    sentences = [Sentence(h.text, "", [a.text for a in h.alternatives]) for h in hypotheses]
    found = corrector.correct(sentences)
    return [_replaced(*each) for each in zip(hypotheses, found, strict=True)]


def _replaced(hypothesis: Hypothesis, found: Sequence[Corrected]) -> Hypothesis:
    text = " ".join(each.word for each in found)
    if all(each.probability is None for each in found) and text == hypothesis.text:
        return replace(hypothesis, uncorrected=hypothesis.text)
    words = []
    if len(hypothesis.words) == len(hypothesis.text.split()):
        words = [_timed(each, hypothesis.words) for each in found]
    return replace(hypothesis, text=text, words=words, uncorrected=hypothesis.text)


def _timed(found: Corrected, recognised: Sequence[Word]) -> Word:
    number = found.place // 2
    if is_word(found.place):
        word = recognised[number]
        if found.probability is None:
            return word
        return replace(word, text=found.word, confidence=found.probability)
    before = recognised[number - 1 : number] if number else []
    after = recognised[number : number + 1]
    ends = [word.end for word in before] or [word.start for word in after]
    starts = [word.start for word in after] or ends
    return Word(found.word, ends[0], starts[0], found.probability)
