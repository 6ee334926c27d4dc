"""A transformer foresees text by what came before, and by nothing else."""

import pytest
import torch

from kaskad.data.text_datamodule import collate
from kaskad.models.language_model import LanguageModel
from kaskad.models.layers.transformer_lm import TransformerLanguageModel
from kaskad.text.characters import CharacterTokenizer


def net(size: int = 5, **sizes: int) -> TransformerLanguageModel:
    torch.manual_seed(0)
    sizes = {"dim": 16, "heads": 2, "layers": 2, "feed_forward": 32, **sizes}
    return TransformerLanguageModel(size, dropout=0.0, **sizes).eval()


@torch.no_grad()
def test_no_label_tells_of_those_before_it() -> None:
    labels, lengths = torch.randint(1, 5, (2, 7)), torch.tensor([7, 7])
    changed = labels.clone()
    changed[:, 4:] = 1 + changed[:, 4:] % 4
    before, after = (net()(each, lengths) for each in (labels, changed))
    torch.testing.assert_close(before[:, :5], after[:, :5])
    assert not torch.allclose(before[:, 5:], after[:, 5:])
    torch.testing.assert_close(before.exp().sum(2), torch.ones(2, 8))


def test_padding_never_changes_a_probability() -> None:
    tokenizer = CharacterTokenizer("абвг")
    model = LanguageModel(lambda size: net(size), tokenizer)
    texts = ["", "а", "абвг", "вввбббааа"]
    alone = [model.log_probabilities([text])[0] for text in texts]
    assert model.log_probabilities(texts) == pytest.approx(alone, abs=1e-4)


def test_it_learns_what_follows_what() -> None:
    tokenizer = CharacterTokenizer("абвг")
    model = LanguageModel(lambda size: net(size), tokenizer).train()
    batch = collate(["абвгабвг", "вгабвгаб", "бвгабвга"], tokenizer)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(60):
        optimizer.zero_grad()
        (-model(batch.labels, batch.lengths).mean()).backward()
        optimizer.step()
    circle, other = model.log_probabilities(["абвгабвг", "агвбагвб"])
    assert circle > -3.0 and other < circle - 10.0


def test_a_net_without_a_sentence_gives_no_probability() -> None:
    none = torch.zeros(0, 1, dtype=torch.long)
    assert net()(none, torch.zeros(0, dtype=torch.long)).shape == (0, 2, 5)


@pytest.mark.parametrize("sizes", [{"dim": 10, "heads": 4}, {"dim": 9, "heads": 3}])
def test_sizes_that_cannot_be_shared_out_are_refused(sizes: dict) -> None:
    with pytest.raises(ValueError, match=f"dim is {sizes['dim']}; it must be even, and a multiple"):
        net(**sizes)
