"""A language model that reads whole texts puts n-best lists in a new order."""

from pathlib import Path
from typing import Any

import pytest
import torch

from kaskad.decoding.beam import BeamDecoder
from kaskad.decoding.lexicon import LexiconDecoder
from kaskad.runs.checkpoints import CheckpointError
from kaskad.runs.trusted_parts import instantiate_trusted, load_model
from kaskad.text.characters import CharacterTokenizer

LETTERS = CharacterTokenizer(list(" адтувы"))
MODEL: dict[str, Any] = {
    "_target_": "kaskad.models.LanguageModel",
    "net": {
        "_target_": "kaskad.models.LSTMLanguageModel",
        "_partial_": True,
        "hidden_size": 32,
        "layers": 1,
        "dropout": 0.0,
    },
    "tokenizer": {
        "_target_": "kaskad.text.CharacterTokenizer",
        "alphabet": list(" адтувы"),
    },
}


TRANSFORMER = {
    "_target_": "kaskad.models.TransformerLanguageModel",
    "_partial_": True,
    "dim": 16,
    "heads": 2,
    "layers": 1,
    "feed_forward": 32,
    "dropout": 0.0,
}


def write(
    folder: Path, text: str = "", tokenizer: dict[str, Any] | None = None, **parts: Any
) -> Path:
    """Teach a language model a text by heart, none by no text, and save it as a run does."""
    torch.manual_seed(0)
    node = MODEL | ({"tokenizer": tokenizer} if tokenizer else {}) | parts
    model = instantiate_trusted(node, folder)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    labels = torch.tensor([model.tokenizer.encode(text)])
    for _ in range(40 if text else 0):
        optimizer.zero_grad()
        (-model(labels, torch.tensor([labels.shape[1]]))).sum().backward()
        optimizer.step()
    path = folder / "checkpoints" / "best.ckpt"
    path.parent.mkdir(parents=True)
    torch.save({"config": {"model": node}, "state_dict": model.state_dict()}, path)
    return path


@pytest.fixture
def utterance(speak) -> tuple[torch.Tensor, torch.Tensor]:
    """Posteriors of "два тут" in which "дву тут" is the likelier."""
    posteriors = speak(LETTERS, "два тут", doubtful={2: "у"})[None]
    return posteriors, torch.tensor([posteriors.shape[1]])


@pytest.mark.parametrize(
    ("make", "options"),
    [(BeamDecoder, {}), (LexiconDecoder, {"lexicon": ["два", "дву", "тут"]})],
)
@pytest.mark.parametrize("workers", [1, 2])
def test_what_the_language_model_knows_comes_first(
    make, options: dict[str, Any], workers: int, utterance, tmp_path: Path
) -> None:
    checkpoint = write(tmp_path, "два тут")
    before = make(LETTERS, 0.04, n_best=4, **options)(*utterance)[0]
    assert before.text == "дву тут"
    added = {"rescore": tmp_path, "rescore_weight": 0.7, "rescore_bonus": 0.2}
    after = make(LETTERS, 0.04, n_best=4, workers=workers, **added, **options)(*utterance)[0]
    assert after.text == "два тут"
    times = [(word.text, word.start, word.end) for word in after.words]
    assert times == [("два", 0.0, 0.32), ("тут", 0.48, 0.8)]
    assert len(after.alternatives) == len(before.alternatives) == 3
    # The score is the decoder's own, and what is added to it; the acoustic score stays.
    model, _ = load_model(checkpoint)
    own = {each.text: each for each in (before, *before.alternatives)}
    for each in (after, *after.alternatives):
        (log_prob,) = model.log_probabilities([each.text])
        gain = 0.7 * log_prob + 0.2 * len(each.text.split())
        assert each.score == pytest.approx(own[each.text].score + gain, abs=1e-4)
        assert each.acoustic_score == own[each.text].acoustic_score
    scores = [each.score for each in (after, *after.alternatives)]
    assert scores == sorted(scores, reverse=True)


def test_words_that_the_language_model_cannot_spell_cost(utterance, tmp_path: Path) -> None:
    words = {"_target_": "kaskad.text.WordTokenizer", "alphabet": ["два", "вы", "тут"]}
    write(tmp_path, tokenizer=words)  # to which all are alike; "дву" would be one the less
    found = BeamDecoder(LETTERS, 0.04, n_best=4, rescore=tmp_path)(*utterance)[0]
    assert found.text == "два тут"


def test_silence_stays_silence(tmp_path: Path) -> None:
    write(tmp_path)
    decoder = BeamDecoder(LETTERS, 0.04, n_best=2, rescore=tmp_path)
    broken = torch.full((1, 4, LETTERS.size), torch.nan)
    (found,) = decoder(broken, torch.tensor([4]))
    assert (found.text, found.problem) == ("", "its posteriors are not numbers")


def test_there_must_be_something_to_choose_from(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"there is 1: ask for more, as decoder.n_best=20"):
        BeamDecoder(LETTERS, 0.04, rescore=tmp_path)


def test_a_transformer_puts_them_in_order_as_well(utterance, tmp_path: Path) -> None:
    write(tmp_path, "два тут", net=TRANSFORMER)
    added = {"rescore": tmp_path, "rescore_weight": 0.7, "rescore_bonus": 0.2}
    assert BeamDecoder(LETTERS, 0.04, n_best=4, **added)(*utterance)[0].text == "два тут"


def test_another_alphabet_is_refused_and_a_smaller_one_reported(tmp_path: Path, caplog) -> None:
    write(tmp_path)
    english = CharacterTokenizer(list(" abc"))
    with pytest.raises(
        ValueError, match="spells with а в д т у ы, and the recogniser writes a b c"
    ):
        BeamDecoder(english, 0.04, n_best=2, rescore=tmp_path)
    BeamDecoder(CharacterTokenizer(list(" адтувыё")), 0.04, n_best=2, rescore=tmp_path)
    assert "does not know ё" in caplog.text


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("missing", "no such language model"),
        ("empty folder", "no run in this folder"),
        ("text", "torn, or no checkpoint"),
        ("recogniser", "a RecurrentEncoder, and no language model"),
        ("foreign", "which is not a part of a recogniser; nothing was executed"),
    ],
)
def test_what_is_no_language_model_is_refused(fault: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "best.ckpt"
    if fault == "empty folder":
        path = tmp_path
    elif fault == "text":
        path.write_text("два тут")
    elif fault != "missing":
        targets = {"recogniser": "kaskad.models.RecurrentEncoder"}
        target = targets.get(fault, "subprocess.Popen")
        node = {"_target_": target, "input_size": 2, "cell": "lstm", "time_reduction": 1}
        node |= {"hidden_size": 2, "layers": 1, "bidirectional": False, "dropout": 0.0}
        state = {}
        if fault == "recogniser":
            state = instantiate_trusted(node, path).state_dict()
        torch.save({"config": {"model": node}, "state_dict": state}, path)
    with pytest.raises(CheckpointError, match=message):
        BeamDecoder(LETTERS, 0.04, n_best=2, rescore=path)
