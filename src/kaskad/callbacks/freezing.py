"""Keeps parts of a net as they are, for some epochs or for good."""

import logging
from collections.abc import Sequence
from difflib import get_close_matches

import pytorch_lightning as lightning
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

log = logging.getLogger(__name__)


class Freezing(lightning.Callback):
    """Freezes ``modules``, by their names in the recogniser (``encoder.convolutions``), and
    releases them after ``epochs`` epochs; never, if that is ``None``.

    What is frozen keeps its weights and the statistics of its batch normalisation to the bit. Its
    parameters stay with the optimizer, which passes over those without a gradient, weight decay
    included; so a schedule is the same with and without. Raises ``ValueError`` at the start where
    there is no such module, or nothing is left to train.
    """

    def __init__(self, modules: Sequence[str], epochs: int | None = None) -> None:
        self.names = list(modules)
        self.epochs = epochs
        # What is released later: not what the net itself leaves as it is.
        self._frozen: list[nn.Parameter] = []

    def setup(
        self, trainer: lightning.Trainer, module: lightning.LightningModule, stage: str
    ) -> None:
        known = dict(module.named_modules())
        for name in self.names:
            if name not in known or not name:
                raise ValueError(_unknown(name, known))
        chosen = tuple(f"{name}." for name in self.names)
        if all(name.startswith(chosen) for name, _ in module.named_parameters()):
            raise ValueError(f"freezing {', '.join(self.names)} leaves nothing to train")

    def on_train_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        parts = [module.get_submodule(name) for name in self.names]
        weights = [weight for part in parts for weight in part.parameters()]
        before = set(map(id, self._frozen))  # of a training that this one follows
        self._frozen = [w for w in weights if w.requires_grad or id(w) in before]
        # A run that is resumed within an epoch does not start that epoch again.
        self._set(module, frozen=self._is_frozen(trainer.current_epoch))

    def on_train_epoch_start(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        if trainer.current_epoch == self.epochs:
            self._set(module, frozen=False)

    def _is_frozen(self, epoch: int) -> bool:
        return self.epochs is None or epoch < self.epochs

    def _set(self, module: lightning.LightningModule, *, frozen: bool) -> None:
        for weight in self._frozen:
            weight.requires_grad_(not frozen)
        for name in self.names:
            for layer in module.get_submodule(name).modules():
                if isinstance(layer, _BatchNorm):
                    layer.train(not frozen)
        log.info("%s: %s", "frozen" if frozen else "training", ", ".join(self.names))


def _unknown(name: str, known: dict[str, nn.Module]) -> str:
    near = get_close_matches(name, known, n=1)
    question = f"; did you mean {near[0]}?" if near else ""
    # The levels that one would freeze; layers within them can be named as well.
    valid = [
        path
        for path, module in known.items()
        if 0 < len(path.split(".")) <= 2 and path and any(True for _ in module.parameters())
    ]
    return (
        f"freezing.modules: this model has no module '{name}'{question} It has {', '.join(valid)}"
    )
