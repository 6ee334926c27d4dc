"""Language models of transformers: tiny ones of random weights, as their authors save them."""

import json
from pathlib import Path

import pytest
import torch

from kaskad.decoding.beam import BeamDecoder
from kaskad.decoding.pretrained_text import PretrainedTextModel
from kaskad.text.characters import CharacterTokenizer

LETTERS = CharacterTokenizer(list(" адтувы"))
UNITS = ["<s>", "</s>", "<unk>", "<mask>", "<pad>", *" адтувы"]


@pytest.fixture(scope="module", params=["causal", "masked"])
def saved(request, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that knows "два тут" by heart, with a tokenizer of characters."""
    return save(tmp_path_factory.mktemp(request.param), masked=request.param == "masked")


def save(folder: Path, *, masked: bool) -> Path:
    import tokenizers
    import transformers

    vocabulary = {unit: number for number, unit in enumerate(UNITS)}
    whole = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="<unk>"))
    whole.pre_tokenizer = tokenizers.pre_tokenizers.Split(tokenizers.Regex("."), "isolated")
    marks = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "mask_token": "<mask>"}
    marks |= {"pad_token": "<pad>", "cls_token": "<s>", "sep_token": "</s>"}
    tokens = transformers.PreTrainedTokenizerFast(tokenizer_object=whole, **marks)
    torch.manual_seed(0)
    if masked:
        config = transformers.BertConfig(
            vocab_size=len(UNITS), hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
            intermediate_size=32, max_position_embeddings=32, hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )  # fmt: skip
        net = transformers.BertForMaskedLM(config)
    else:
        sizes = {
            "vocab_size": len(UNITS),
            "n_positions": 32,
            "n_embd": 32,
            "n_layer": 1,
            "n_head": 2,
        }
        marks = {"bos_token_id": 0, "eos_token_id": 1}
        net = transformers.GPT2LMHeadModel(transformers.GPT2Config(**sizes, **marks))
    units = torch.tensor([[0, *tokens.encode("два тут", add_special_tokens=False), 1]])
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for step in range(60):
        seen, labels = units.clone(), units.clone()
        if masked:
            place = 1 + step % (units.shape[1] - 2)
            seen[0, place] = 3
            labels = units.where(torch.arange(units.shape[1]) == place, torch.tensor(-100))
        optimizer.zero_grad()
        net(input_ids=seen, labels=labels).loss.backward()
        optimizer.step()
    net.save_pretrained(folder)
    tokens.save_pretrained(folder)
    return folder


def test_what_it_knows_comes_first(saved: Path, speak) -> None:
    posteriors = speak(LETTERS, "два тут", doubtful={2: "у"})[None]
    lengths = torch.tensor([posteriors.shape[1]])
    assert BeamDecoder(LETTERS, 0.04, n_best=4)(posteriors, lengths)[0].text == "дву тут"
    decoder = BeamDecoder(LETTERS, 0.04, n_best=4, rescore=saved, rescore_weight=0.7)
    assert decoder(posteriors, lengths)[0].text == "два тут"


def test_alone_or_with_others_a_text_is_as_probable(saved: Path) -> None:
    model = PretrainedTextModel(saved)
    texts = ["два тут", "", "ты", "в" * 40]  # the last is too long for it, and cut
    alone = [model.log_probabilities([text])[0] for text in texts]
    assert model.log_probabilities(texts) == pytest.approx(alone, abs=1e-3)
    assert alone[0] > model.log_probabilities(["дву тут"])[0]


def test_a_causal_model_gives_probabilities(tmp_path: Path) -> None:
    model = PretrainedTextModel(save(tmp_path, masked=False))
    # Of all texts of one unit, and the empty one, the probabilities are a part of 1.
    log_probs = torch.tensor(model.log_probabilities(["", *" адтувы"]))
    assert 0.0 < float(log_probs.exp().sum()) < 1.0


def test_what_it_cannot_spell_is_reported_or_refused(saved: Path, caplog) -> None:
    assert PretrainedTextModel(saved).unknown("два кот") == {"к", "о"}
    BeamDecoder(CharacterTokenizer(list(" адтувыё")), 0.04, n_best=2, rescore=saved)
    assert "does not know ё" in caplog.text
    with pytest.raises(ValueError, match=r"other characters, and the recogniser writes a b c"):
        BeamDecoder(CharacterTokenizer(list(" abc")), 0.04, n_best=2, rescore=saved)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("classifier", "BertForSequenceClassification is no causal or masked language model"),
        ("pickle", "has no weights as safetensors, and pickles are not read"),
        ("code", r"without running code of its own"),
        ("torn", "cannot be read as JSON"),
        ("no tokenizer", "has no tokenizer"),
    ],
)
def test_what_is_no_such_model_is_refused(fault: str, message: str, tmp_path: Path) -> None:
    folder = save(tmp_path, masked=fault == "classifier")
    settings = json.loads((folder / "config.json").read_text())
    if fault == "classifier":
        settings["architectures"] = ["BertForSequenceClassification"]
    elif fault == "pickle":
        (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    elif fault == "code":
        settings |= {"model_type": "own", "auto_map": {"AutoModelForCausalLM": "evil.Model"}}
        settings["auto_map"]["AutoConfig"] = "evil.Config"
        (folder / "evil.py").write_text(f"open({str(folder / 'ran')!r}, 'w')\n")
    elif fault == "no tokenizer":
        for file in folder.glob("*token*.json"):
            file.unlink()
    text = json.dumps(settings)
    (folder / "config.json").write_text(text[:9] if fault == "torn" else text)
    with pytest.raises(ValueError, match=message):
        BeamDecoder(LETTERS, 0.04, n_best=2, rescore=folder)
    assert not (folder / "ran").exists()
