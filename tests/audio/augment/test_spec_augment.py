"""SpecAugment covers as much as it may, inside each utterance, and nothing else."""

import torch

from kaskad.audio.augment.spec_augment import SpecAugment

LENGTHS = torch.tensor([200, 100, 30, 1] * 64)
FEATURES = 1 + torch.rand(len(LENGTHS), 200, 80, generator=torch.Generator().manual_seed(0))


def covered(**options: float) -> torch.Tensor:
    """(batch, frames, bins), True where zeros are now."""
    torch.manual_seed(0)
    out = SpecAugment(**options)(FEATURES, LENGTHS)
    assert ((out == 0) | (out == FEATURES)).all()
    return out == 0


def test_stretches_of_frames_lie_inside_an_utterance_and_keep_to_their_widths() -> None:
    frames = covered(frequency_masks=0, time_masks=2, time_width=25, time_share=0.1)
    assert (frames.all(dim=2) == frames.any(dim=2)).all()
    counts = frames.all(dim=2).sum(dim=1)
    widest = torch.tensor([20, 10, 3, 0] * 64)  # of one stretch: a tenth of the utterance
    assert (counts <= 2 * widest).all()
    assert (counts[0::4] > 20).any()
    beyond = torch.arange(200) >= LENGTHS[:, None]
    assert not (frames.any(dim=2) & beyond).any()


def test_a_stretch_is_never_wider_than_time_width() -> None:
    frames = covered(frequency_masks=0, time_masks=1, time_width=5, time_share=1.0)
    counts = frames.all(dim=2).sum(dim=1)
    assert counts.max() == 5
    edges = frames.any(dim=2).int().diff(dim=1, prepend=torch.zeros(len(LENGTHS), 1)).clamp(min=0)
    assert (edges.sum(dim=1) <= 1).all()


def test_bands_of_bins_cover_the_whole_length_and_keep_to_their_width() -> None:
    bins = covered(frequency_masks=2, frequency_width=15, time_masks=0)
    assert (bins.all(dim=1) == bins.any(dim=1)).all()
    counts = bins.all(dim=1).sum(dim=1)
    assert 15 < counts.max() <= 30
    assert bins.any(dim=1).any(dim=0).all()  # none is always spared, the first and last neither


def test_every_utterance_is_covered_in_its_own_way() -> None:
    patterns = {pattern.numpy().tobytes() for pattern in covered()[0::4]}
    assert len(patterns) > 60


def test_no_masks_cover_nothing() -> None:
    assert not covered(frequency_masks=0, time_masks=0).any()


def test_a_seed_repeats_what_is_covered() -> None:
    assert torch.equal(covered(), covered())
