"""The loss that is trained on, and the means that are logged."""

import torch

from kaskad.models.losses import sums_and_counts, with_total

INF, NAN = torch.inf, torch.nan


def test_a_loss_is_the_sum_of_the_shares_of_its_parts() -> None:
    parts = {"ctc": torch.tensor([2.0, 4.0]), "attention": torch.tensor([1.0, 3.0])}
    losses = with_total(parts, {"attention": 0.75, "ctc": 0.25})
    assert losses["loss"].tolist() == [1.25, 3.25]
    assert losses["loss_ctc"].tolist() == [2.0, 4.0]
    assert losses["loss_attention"].tolist() == [1.0, 3.0]


def test_one_part_is_the_loss_and_has_no_name_of_its_own() -> None:
    losses = with_total({"ctc": torch.tensor([0.1, INF, NAN])}, {"ctc": 1.0})
    assert losses.keys() == {"loss"}
    assert torch.equal(losses["loss"].nan_to_num(7.0, 9.0), torch.tensor([0.1, 9.0, 7.0]))


def test_an_utterance_too_short_for_ctc_trains_attention() -> None:
    ctc = torch.tensor([INF, INF, NAN], requires_grad=True)
    attention = torch.tensor([1.0, INF, 1.0], requires_grad=True)
    loss = with_total({"attention": attention, "ctc": ctc}, {"attention": 0.5, "ctc": 0.5})["loss"]
    assert loss[0] == 0.5 and loss[1] == INF and loss[2].isnan()
    loss[loss.isfinite()].sum().backward()
    assert ctc.grad is not None and attention.grad is not None
    assert ctc.grad.tolist() == [0.0, 0.0, 0.0] and attention.grad.tolist() == [0.5, 0.0, 0.0]


def test_means_leave_out_what_is_not_finite() -> None:
    russian = {"loss": torch.tensor([1.0, INF, 3.0]), "loss_ctc": torch.tensor([NAN, INF, 8.0])}
    english = {"loss": torch.tensor([]), "loss_ctc": torch.tensor([])}
    sums, counts = sums_and_counts([russian, english])
    assert sums.tolist() == [[4.0, 0.0], [8.0, 0.0]] and counts.tolist() == [[2, 0], [1, 0]]
