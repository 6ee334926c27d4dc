"""How alike two nets, or two parts of one, see the same frames."""

import numpy as np


def linear_cka(one: np.ndarray, other: np.ndarray) -> float:
    """Centred kernel alignment of (frames, dim) and (frames, dim'): 0 to 1, of the same frames.

    It is 1 where one is the other turned, mirrored or scaled as a whole: what units stand for is
    compared, not which unit stands for it. Source: Kornblith et al., "Similarity of Neural Network
    Representations Revisited" (2019), section 3. Raises ``ValueError`` for unequal frames.
    """
    if len(one) != len(other):
        raise ValueError(f"{len(one)} frames beside {len(other)}: both must see the same ones")
    one, other = one - one.mean(axis=0), other - other.mean(axis=0)
    together = np.linalg.norm(other.T @ one) ** 2
    alone = np.linalg.norm(one.T @ one) * np.linalg.norm(other.T @ other)
    return float(together / alone) if alone else 0.0
