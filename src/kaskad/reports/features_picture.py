"""What a model sees of an utterance, for people: time from left to right, high above low."""

from torch import Tensor

CELL = 2  # pixels, the height and width of one feature


def draw_features(features: Tensor) -> Tensor:
    """Features (frames, bins) -> a picture (height, width), from white to black for the largest."""
    features = features.float().cpu().T.flip(0)
    low, high = features.min(), features.max()
    picture = 1.0 - (features - low) / (high - low).clamp(min=1e-6)
    return picture.repeat_interleave(CELL, 0).repeat_interleave(CELL, 1)
