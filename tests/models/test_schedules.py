"""Learning rates that go up and down within any number of steps."""

import pytest
import torch

from kaskad.models.schedules import one_cycle


@pytest.mark.parametrize("steps", [1, 2, 5, 6, 100])
def test_a_cycle_of_any_length_ends_far_below_its_peak(steps: int) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    schedule = one_cycle(optimizer, steps, max_lr=1.0, warm_up=0.2)["scheduler"]
    rates = []
    for _ in range(steps):
        rates += schedule.get_last_lr()
        optimizer.step()
        if len(rates) < steps:
            schedule.step()
    assert max(rates) <= 1.0
    assert rates[-1] == pytest.approx(4e-6)
    if steps >= 5:
        assert max(rates) > 0.9
        assert rates.index(max(rates)) == pytest.approx(0.2 * steps - 1, abs=1)
