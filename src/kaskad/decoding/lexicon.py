"""Beam search over the words of a closed vocabulary: nothing else can be recognised."""

import logging
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import kenlm
import numpy as np
from flashlight.lib.text import decoder as flashlight

from kaskad.decoding.ctc_decoder import Run, SearchDecoder, runs, word_border
from kaskad.decoding.hypothesis import Hypothesis, Word, best_of
from kaskad.decoding.word_lists import few, read_words, spell_words
from kaskad.ngrams.kenlm import is_language_model, open_language_model, read_vocabulary
from kaskad.text.numerals import NUMERALS, is_cardinal
from kaskad.text.tokenizer import BLANK, Tokenizer

log = logging.getLogger(__name__)

NUMERAL_WORDS = "numerals"
FLOOR = float(
    np.log(1e-15)
)  # of log-probabilities: an impossible label leaves its word in the race
LN_10 = float(np.log(10.0))  # KenLM counts in decimal logarithms


class LexiconDecoder(SearchDecoder):
    """CTC beam search along a trie of words, of flashlight-text; labels of any tokenizer.

    ``lexicon``: "numerals" (those of every language that the labels can spell), a list of words,
    an ARPA file (its words), or a text file (all words in it). With ``one_number`` only words that
    together make one well-formed number can follow one another.

    A word adds ``alpha`` times the natural logarithm of its probability in ``language_model``, an
    ARPA file, plus ``beta``. Beams further than ``beam_prune_logp`` from the best are dropped.
    A score is that of the best alignment of the words.

    For ``n_best``, ``rescore`` and ``workers`` see ``SearchDecoder``, for what is done to the
    posteriors ``Decoder``.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        seconds_per_frame: float,
        *,
        lexicon: str | Path | Sequence[str] = NUMERAL_WORDS,
        one_number: bool = False,
        language_model: str | Path | None = None,
        alpha: float = 0.5,
        beta: float = 0.0,
        beam_width: int = 50,
        beam_prune_logp: float = -25.0,
        **shared: Any,
    ) -> None:
        super().__init__(tokenizer, seconds_per_frame, **shared)
        if beam_width < 1:
            raise ValueError(f"decoder.beam_width={beam_width}: one beam at least must be kept")
        written = vocabulary(lexicon, tokenizer)
        n_grams = None
        if language_model is not None:
            n_grams, known = open_language_model(language_model, tokenizer)
            if not written.keys() & set(known):
                raise ValueError(
                    f"{language_model}: it has none of the {len(written)} words of the lexicon; "
                    "give decoder.lexicon the same file, or decoder.language_model another"
                )
        self.vocabulary = list(written)
        space = word_border(tokenizer.labels)
        self._borders = [BLANK] if space is None else [space, BLANK]
        # The search holds no references: what it works on must live as long as it does.
        allowed = is_number(written) if one_number else None
        if allowed is not None and not any(map(allowed, written)):
            raise ValueError(
                f"decoder.one_number: there is no numeral in decoder.lexicon={lexicon}; "
                f"give decoder.lexicon={NUMERAL_WORDS}, or decoder.one_number=false"
            )
        self._model = WordModel(self.vocabulary, n_grams, alpha, allowed)
        self._trie = self._make_trie()
        self._search = flashlight.LexiconDecoder(
            flashlight.LexiconDecoderOptions(
                beam_size=beam_width,
                beam_size_token=tokenizer.size,
                beam_threshold=-beam_prune_logp,
                lm_weight=1.0,
                word_score=beta,
                unk_score=-np.inf,
                sil_score=0.0,
                log_add=False,
                criterion_type=flashlight.CriterionType.CTC,
            ),
            self._trie,
            self._model,
            sil_token_idx=self._borders[0],
            blank_token_idx=BLANK,
            unk_token_idx=-1,
            transitions=[],
            is_token_lm=False,
        )

    def search(self, log_probs: np.ndarray) -> Hypothesis:
        # In a frame more, of nothing but blank, the last word can end.
        emissions = np.full((len(log_probs) + 1, log_probs.shape[1]), FLOOR, np.float32)
        emissions[:-1] = np.maximum(log_probs, FLOOR)
        emissions[-1, BLANK] = 0.0
        found: dict[str, Hypothesis] = {}
        # A path has a place before the first frame, and one after the last.
        for path in self._search.decode(emissions.ctypes.data, *emissions.shape):
            words = self._timed(path.tokens[1:-1], path.words[1:-1], emissions)
            text = " ".join(word.text for word in words)
            if text not in found:  # else the same words, aligned in another way
                found[text] = Hypothesis(
                    text, path.score, words, acoustic_score=path.emittingModelScore
                )
            if len(found) == self.n_best:
                break
        return best_of(list(found.values()))

    def _make_trie(self) -> flashlight.Trie:
        trie = flashlight.Trie(self.tokenizer.size, BLANK)
        for index, word in enumerate(self.vocabulary):
            labels = self.tokenizer.encode(word)
            # The search ends a word where its last label begins, so a border must come after it;
            # where there is no label for one, the last label may be held or not.
            endings = [[], labels[-1:]] if len(self._borders) == 1 else [[b] for b in self._borders]
            for ending in endings:
                trie.insert([*labels, *ending], index, self._model.likelihood(word))
        trie.smear(flashlight.SmearingMode.MAX)
        return trie

    def _timed(
        self, labels: Sequence[int], words: Sequence[int], log_probs: np.ndarray
    ) -> list[Word]:
        """The words of a path, from the first frame of their labels to the last."""
        found: list[Word] = []
        spoken: list[Run] = []
        for run in runs(np.array(labels), log_probs):
            if run.label not in self._borders:
                spoken.append(run)
            for word in words[run.start : run.end]:
                if word >= 0:
                    found.append(self.word(self.vocabulary[word], spoken))
                    spoken = []
        return found


class WordModel(flashlight.LM):
    """Scores words one after another by n-grams, and forbids what ``is_allowed`` does not allow."""

    def __init__(
        self,
        words: Sequence[str],
        n_grams: kenlm.Model | None = None,
        alpha: float = 1.0,
        is_allowed: Callable[[str], bool] | None = None,
    ) -> None:
        super().__init__()
        self._words = words
        self._n_grams = n_grams
        self._weight = alpha * LN_10
        self._is_allowed = is_allowed
        # The words up to a state, and KenLM's state after them.
        self._texts: dict[flashlight.LMState, tuple[str, kenlm.State]] = {}
        self._scores: dict[flashlight.LMState, float] = {}

    def likelihood(self, word: str) -> float:
        """The score of a word that nothing precedes, allowed or not."""
        start = kenlm.State()
        if self._n_grams is not None:
            self._n_grams.BeginSentenceWrite(start)
        return self._score(start, word, kenlm.State())

    def start(self, start_with_nothing: bool) -> flashlight.LMState:
        self._scores.clear()
        start = kenlm.State()
        if self._n_grams is not None:
            self._n_grams.BeginSentenceWrite(start)
        state = flashlight.LMState()
        self._texts = {state: ("", start)}
        return state

    def score(self, state: flashlight.LMState, word: int) -> tuple[flashlight.LMState, float]:
        after = state.child(word)
        if after not in self._scores:
            text, remembered = self._texts[state]
            after_text = f"{text} {self._words[word]}".lstrip()
            reached = kenlm.State()
            self._scores[after] = self._score(remembered, self._words[word], reached)
            if self._is_allowed is not None and not self._is_allowed(after_text):
                self._scores[after] = -np.inf
            self._texts[after] = after_text, reached
        return after, self._scores[after]

    def finish(self, state: flashlight.LMState) -> tuple[flashlight.LMState, float]:
        return state, self._score(self._texts[state][1], "</s>", kenlm.State())

    def _score(self, before: kenlm.State, word: str, after: kenlm.State) -> float:
        if self._n_grams is None:
            return 0.0
        return self._weight * self._n_grams.BaseScore(before, word, after)


def vocabulary(lexicon: str | Path | Sequence[str], tokenizer: Tokenizer) -> dict[str, str]:
    """The words of a lexicon that ``tokenizer`` can spell, each with how it is written.

    The two differ where the labels are phones and the lexicon is of numerals. Raises
    ``FileNotFoundError`` and ``ValueError`` where there is no such file, or no such word.
    """
    if lexicon == NUMERAL_WORDS:
        numerals = {
            spelt: word
            for language, words in NUMERALS.items()
            for word, spelt in zip(words, tokenizer.spell(list(words), language), strict=True)
        }
        spelt, unspelt = spell_words(numerals, tokenizer)
        written = {word: numerals[word] for word in spelt}
    else:
        spelt, unspelt = spell_words(_listed(lexicon), tokenizer)
        written = {word: word for word in spelt}
    if not written:
        raise ValueError(
            f"decoder.lexicon={lexicon}: none of its {len(unspelt)} words can be spelt by the "
            f"labels of the tokenizer ({few(unspelt)}); give the words of its language, spelt as "
            "its transcripts"
        )
    if unspelt and lexicon != NUMERAL_WORDS:
        log.warning(
            "decoder.lexicon=%s: %d of %d words cannot be spelt by the labels of the tokenizer; "
            "they will never be recognised: %s",
            lexicon,
            len(unspelt),
            len(unspelt) + len(spelt),
            few(unspelt),
        )
    return dict(sorted(written.items()))


def _listed(lexicon: str | Path | Sequence[str]) -> Iterable[str]:
    if not isinstance(lexicon, str | Path):
        return lexicon
    path = Path(lexicon)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no such lexicon; give decoder.lexicon a list of words, a text file, an ARPA "
            f"file, or '{NUMERAL_WORDS}'"
        )
    return sorted(read_vocabulary(path)) if is_language_model(path) else read_words(path)


def is_number(written: dict[str, str]) -> Callable[[str], bool]:
    """Whether words, as the labels spell them, are one number: so is every beginning of one."""

    @lru_cache(maxsize=100_000)
    def is_allowed(text: str) -> bool:
        numerals = [written[word] for word in text.split()]
        return any(is_cardinal(numerals, language) for language in NUMERALS)

    return is_allowed
