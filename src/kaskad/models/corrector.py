"""A model of corrections: a hypothesis of a recogniser in, the corrected text out."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import polars as pl
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kaskad.data.corrections import BEYOND, Corrections, Sentence, collate
from kaskad.data.edits import KEEP, edited
from kaskad.metrics.corrections import score, shares
from kaskad.models.encoders.encoder import Encoder
from kaskad.models.letter_reader import LetterReader
from kaskad.text.tokenizer import Tokenizer

TOGETHER = 256  # sentences that are corrected at a time
# By how much more probable (natural logarithm) than the word of the hypothesis an edit must be.
MARGINS = (0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, float("inf"))


class Proposal(NamedTuple):
    """An edit of a place of a text, by how much it is likelier than none (natural logarithm), and
    its ``probability``."""

    place: int
    edit: int
    gain: float
    probability: float


class Corrected(NamedTuple):
    """A word of a corrected text, the place that it stands in (see ``kaskad.data.edits``), and how
    probable it is where it was put there, else ``None``."""

    word: str
    place: int
    probability: float | None


Answer = tuple[Sentence, list[Proposal]]


class Corrector(LetterReader):
    """Reads a hypothesis letter by letter, and says of each word, and of each gap between words,
    whether it is to be kept, replaced by another word, or taken away: see ``kaskad.data.edits``.

    It copies unless it knows better: before training, keeping is ``caution`` (natural
    logarithm) likelier than any edit, and an edit is made only where it is likelier than keeping by
    a margin. Each validation chooses the margin with the fewest errors of those with which no more
    sentences are broken than mended; where none lowers the WER, it is infinite. The edits with
    which the alternatives of an n-best list come of the hypothesis vote, with learned weights.

    Sources: Malmi et al., "Encode, Tag, Realize: High-Precision Text Editing" (2019); Omelianchuk
    et al., "GECToR – Grammatical Error Correction: Tag, Not Rewrite" (2020).

    Args:
        letters: Labels of what is read: letters, and the blank between words.
        tokenizer: Labels of what is written: words.
        encoder: Its frames are letters, each of ``embedding_size`` values; none are left out.
        embedding_size: Values that stand for a letter.
        caution: How much likelier it is in the beginning to keep than to edit.
        objective: Names the figure that is shown while training.
        training: What trains it, for ``Learner``: ``optimizer`` and ``scheduler``.

    Raises:
        ValueError: For an encoder that makes one frame of several letters.
    """

    learns_from_data = "corrections"
    margin: Tensor

    def __init__(
        self,
        letters: Tokenizer,
        tokenizer: Tokenizer,
        encoder: Encoder,
        embedding_size: int = 64,
        caution: float = 4.0,
        objective: str = "wer",
        **training: Any,
    ) -> None:
        super().__init__(letters, tokenizer, encoder, embedding_size, objective, **training)
        if encoder.time_reduction != 1:
            raise ValueError(
                f"model.encoder.time_reduction={encoder.time_reduction}: a corrector wants a frame "
                "for each letter, time_reduction=1"
            )
        self.head = nn.Linear(encoder.dim, tokenizer.size + 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        with torch.no_grad():
            self.head.bias[KEEP] = caution
        self.vote = nn.Parameter(torch.ones(2))  # what all alternatives weigh: in a gap, of a word
        self.register_buffer("margin", torch.tensor(float("inf")))

    def edit_log_probs(self, batch: Corrections) -> Tensor:
        """The log-probability of every edit (batch, places, labels + 1)."""
        with torch.autocast(batch.spelt.device.type, enabled=False):
            read, _ = self(batch.spelt, batch.spelt_lengths)
            width = batch.letters.shape[1]
            places = read.gather(1, batch.letters[:, :, None].expand(-1, -1, read.shape[2]))
            is_word = torch.arange(width, device=read.device) % 2
            logits = self.head(places) + self.vote[is_word][:, None] * batch.votes
            logits[:, ::2, -1] = -torch.inf  # there is nothing in a gap to take away
            return logits.log_softmax(dim=2)

    def losses(self, batch: Corrections) -> Tensor:
        """The loss of each text, the mean of its places (batch,)."""
        log_probs = self.edit_log_probs(batch).transpose(1, 2)
        losses = F.nll_loss(log_probs, batch.edits, reduction="none", ignore_index=BEYOND)
        return losses.sum(dim=1) / (batch.edits != BEYOND).sum(dim=1)

    def answers(self, batch: Corrections) -> list[Answer]:
        """Each sentence with the edits that are likelier than to keep the hypothesis."""
        log_probs = self.edit_log_probs(batch)
        best, edits = log_probs.max(dim=2)
        gains = best - log_probs[:, :, KEEP]
        found: list[list[Proposal]] = [[] for _ in batch.sentences]
        for row, place in ((edits != KEEP) & (batch.edits != BEYOND)).nonzero().tolist():
            values = (each[row, place].item() for each in (edits, gains, best.exp()))
            found[row].append(Proposal(place, *values))  # type: ignore[arg-type]
        return [*zip(batch.sentences, found, strict=True)]

    def figures(self, answers: list[Answer]) -> dict[str, float]:
        """The figures with the best margin, which is kept from here on."""
        best: dict[str, float] = {}
        for margin in MARGINS:
            scored = self._scored(answers, margin)
            found = {name: each.value for name, each in shares(scored).items()}
            counts = dict(scored["outcome"].value_counts().iter_rows())
            harms = counts.get("broken", 0) > counts.get("mended", 0)
            if not harms and (not best or found["wer"] <= best["wer"]):
                best = found
                self.margin.fill_(margin)
        return best

    def scored(self, loader: int = 0) -> pl.DataFrame:
        """The sentences of a test as ``score`` has them, corrected with the margin."""
        return self._scored(self._answers[loader], float(self.margin))

    @torch.inference_mode()
    def correct(self, sentences: Sequence[Sentence]) -> list[list[Corrected]]:
        """The words of each sentence as corrected; the references are not looked at.

        A sentence without words stays without.
        """
        self.eval()
        found = []
        for start in range(0, len(sentences), TOGETHER):
            some = sentences[start : start + TOGETHER]
            part = [each._replace(reference=each.hypothesis) for each in some]
            batch = collate(part, self.letters, self.tokenizer)
            batch = Corrections(batch.sentences, *(each.to(self.device) for each in batch[1:]))
            found += [self._edited(*each, float(self.margin)) for each in self.answers(batch)]
        return found

    def _scored(self, answers: Sequence[Answer], margin: float) -> pl.DataFrame:
        sentences = [sentence for sentence, _ in answers]
        corrected = [
            " ".join(each.word for each in self._edited(*answer, margin)) for answer in answers
        ]
        references = [each.reference for each in sentences]
        scored = score(references, [each.hypothesis for each in sentences], corrected)
        return scored.insert_column(0, pl.Series("id", [s.id for s in sentences], pl.String))

    def _edited(
        self, sentence: Sentence, proposals: Sequence[Proposal], margin: float
    ) -> list[Corrected]:
        edits = [KEEP] * (2 * len(sentence.hypothesis.split()) + 1)
        sure = {}
        for proposal in proposals:
            if proposal.gain > margin and sentence.hypothesis:
                edits[proposal.place] = proposal.edit
                sure[proposal.place] = proposal.probability
        words = edited(sentence.hypothesis, edits, self.tokenizer.labels)
        return [Corrected(word, place, sure.get(place)) for word, place in words]
