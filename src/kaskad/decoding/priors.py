"""What every decoder does to posteriors first: a blank penalty, label priors."""

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from kaskad.decoding.likeliest_path import align
from kaskad.text.tokenizer import BLANK

MILLION = 1_000_000  # the prior of the most frequent label


class Adjustment:
    """``log_probs (…, labels) -> log-probabilities (…, labels)``, frame by frame.

    The posterior of the blank is divided by ``blank_penalty``: above 1 there are more letters and
    fewer deletions, below 1 fewer insertions. The posterior of every label, the blank too, is
    divided by its prior to the power of ``prior_scale``. Then the frame is normalised to 1 again.
    A penalty of 1 and a scale of 0 leave the posterior as it is.

    ``priors`` is a file of ``write_priors``. Source of the priors: Miao et al., "EESEN: End-to-end
    speech recognition using deep RNN models and WFST-based decoding" (ASRU 2015).
    """

    def __init__(
        self,
        labels: Sequence[str],
        blank_penalty: float = 1.0,
        priors: str | Path | None = None,
        prior_scale: float = 0.0,
    ) -> None:
        if blank_penalty <= 0:
            raise ValueError(
                f"blank_penalty is {blank_penalty}: the posterior is divided by it, so it must be "
                "above 0; 1.0 leaves the posterior as it is"
            )
        if prior_scale and priors is None:
            raise ValueError(
                f"prior_scale is {prior_scale}, but there are no priors: count them by "
                "kaskad tune_decoder count_priors=true, and give the file as decoder.priors=…"
            )
        offsets = torch.zeros(len(labels))
        offsets[BLANK] -= torch.tensor(blank_penalty).log()
        if priors is not None:
            offsets -= prior_scale * read_priors(Path(priors), labels).log()
        self._offsets = offsets if offsets.any() else None

    def __call__(self, log_probs: Tensor) -> Tensor:
        if self._offsets is None:
            return log_probs
        return (log_probs + self._offsets.to(log_probs.device)).log_softmax(dim=-1)


def count_labels(
    log_probs: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor
) -> Tensor:
    """The frames that each label (labels,), the blank too, has in the likeliest alignments.

    ``log_probs`` is (batch, frames, labels), ``lengths`` (batch,), ``targets`` (batch, target
    labels), ``target_lengths`` (batch,). Every utterance must have frames enough for its labels.
    """
    counts = torch.zeros(log_probs.shape[2], dtype=torch.long)
    sizes = zip(lengths.tolist(), target_lengths.tolist(), strict=True)
    for row, (frames, length) in enumerate(sizes):
        path = align(log_probs[row, :frames], targets[row, :length])
        counts += path.bincount(minlength=len(counts))
    return counts


def write_priors(path: Path, labels: Sequence[str], counts: Tensor) -> None:
    """Write counts (labels,) as JSON, label by label, the largest of them made a million."""
    shares = (MILLION * counts / counts.max().clamp(min=1)).round().long()
    table = dict(zip(labels, shares.tolist(), strict=True))
    path.write_text(json.dumps(table, ensure_ascii=False, indent=4), encoding="utf-8")


def read_priors(path: Path, labels: Sequence[str]) -> Tensor:
    """The prior (labels,) of each label, the largest 1; one that was never seen has a millionth.

    Raises ``FileNotFoundError``, and ``ValueError`` if the file is for other labels.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file of priors; give another as decoder.priors=…")
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        counts = torch.tensor([float(table[label]) for label in labels])
    except KeyError as error:
        raise ValueError(
            f"{path}: no prior for the label {error}; these are the priors of another tokenizer"
        ) from error
    except (ValueError, TypeError) as error:
        raise ValueError(
            f'{path}: not a file of priors, which is JSON as in {{"": 1000000, "а": 1234}}: {error}'
        ) from error
    return counts.clamp(min=1) / MILLION
