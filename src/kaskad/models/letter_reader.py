"""What models that read text letter by letter have in common: of pronunciations, of corrections."""

from collections import defaultdict
from collections.abc import Mapping
from itertools import chain
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from kaskad.models.encoders.encoder import Encoder
from kaskad.models.module import Learner
from kaskad.runs import distributed
from kaskad.text.tokenizer import Tokenizer


class Texts(Protocol):
    """A batch: letters ``spelt`` (batch, letters), 0 beyond ``spelt_lengths`` (batch,)."""

    @property
    def spelt(self) -> Tensor: ...

    @property
    def spelt_lengths(self) -> Tensor: ...


class LetterReader(Learner):
    """An embedding of letters and an encoder of them; a subclass has the rest of the net, and
    ``losses``, ``answers`` and ``figures``.

    Args:
        letters: Labels of what is read.
        tokenizer: Labels of what is written.
        encoder: Its frames are letters, each of ``embedding_size`` values.
        embedding_size: Values that stand for a letter.
        objective: Names the figure that is shown while training.
        training: What trains it, for ``Learner``: ``optimizer`` and ``scheduler``.
    """

    def __init__(
        self,
        letters: Tokenizer,
        tokenizer: Tokenizer,
        encoder: Encoder,
        embedding_size: int,
        objective: str,
        **training: Any,
    ) -> None:
        super().__init__(tokenizer, **training)
        self.letters = letters
        self.embedding = nn.Embedding(letters.size, embedding_size)
        self.encoder = encoder
        self.objective = objective
        # Of validation and test, by the number of the loader: what ``answers`` says of each text.
        self._answers: dict[int, list[Any]] = defaultdict(list)
        self._losses: list[float] = []

    def forward(self, spelt: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, letters), (batch,) -> each letter as it is read (batch, letters, dim), (batch,).

        In float32 whatever the precision of the run: on a processor bfloat16 is slower here.
        """
        with torch.autocast(spelt.device.type, enabled=False):
            return self.encoder(self.embedding(spelt), lengths)

    def losses(self, batch: Any) -> Tensor:
        """The loss of each text (batch,)."""
        raise NotImplementedError

    def answers(self, batch: Any) -> list[Any]:
        """What the model makes of each text of a validation or test, with what is right: plain
        values."""
        raise NotImplementedError

    def figures(self, answers: list[Any]) -> Mapping[str, float]:
        """The figures of a validation, the ``objective`` among them. What a model takes from its
        validation beside weights, it takes here."""
        raise NotImplementedError

    def training_step(self, batch: Texts, batch_index: int) -> Tensor:
        """The mean loss of a text; of a process its share, so that the mean over processes is that
        loss."""
        here = len(batch.spelt)
        count = int(distributed.total(torch.tensor(here, device=self.device)))
        share = (self.losses(batch).sum() if here else self.no_share()) / count
        loss = distributed.total(share.detach())
        self.log(
            "training/loss", loss, on_step=True, on_epoch=True, prog_bar=True, batch_size=count
        )
        return share * distributed.count()

    def validation_step(self, batch: Texts, batch_index: int) -> None:
        if len(batch.spelt):
            self._losses += self.losses(batch).tolist()
            self._answers[0] += self.answers(batch)

    def on_validation_epoch_end(self) -> None:
        answers = [*chain(*distributed.gathered(self._answers[0]))]
        losses = [*chain(*distributed.gathered(self._losses))]
        figures = self.figures(answers)
        self.log_dict({f"validation/{name}": value for name, value in figures.items()})
        self.log("validation/loss", sum(losses) / len(losses))
        self.log(self.objective, figures[self.objective], prog_bar=True, logger=False)
        self._answers.clear()
        self._losses.clear()

    def on_test_epoch_start(self) -> None:
        self._answers.clear()

    def test_step(self, batch: Texts, batch_index: int, dataloader_idx: int = 0) -> None:
        if len(batch.spelt):
            self._answers[dataloader_idx] += self.answers(batch)
