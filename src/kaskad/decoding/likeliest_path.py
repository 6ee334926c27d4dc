"""The likeliest way of a transcript through the frames of an utterance."""

from torch import Tensor
from torchaudio.functional import forced_align

from kaskad.text.tokenizer import BLANK


def align(log_probs: Tensor, targets: Tensor) -> Tensor:
    """The label of each frame (frames,) in the likeliest alignment of ``targets`` (labels,).

    ``log_probs`` is (frames, labels). Raises ``RuntimeError`` where the frames are too few.
    """
    path, _ = forced_align(log_probs.cpu()[None], targets.cpu()[None], blank=BLANK)
    return path[0]


def frames_needed(targets: Tensor) -> int:
    """The fewest frames on which ``targets`` (labels,) find room: one a label, and one for the
    blank between two that are equal."""
    return len(targets) + int((targets[1:] == targets[:-1]).sum())
