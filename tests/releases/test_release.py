"""A release stands by itself: it loads, decodes and is tested where nothing of its training is."""

import json
import shutil
from pathlib import Path

import pytest
import torch
import yaml

import kaskad
from kaskad.commands.evaluate import BoundsError, evaluate
from kaskad.config.messages import ConfigurationError
from kaskad.releases.settings import public_settings
from kaskad.releases.verify import verify
from kaskad.runs.checkpoints import CheckpointError, find_checkpoint, read_checkpoint
from kaskad.runs.released import ReleaseError, write_sums

ALONE = ["datamodule.workers=0", "datamodule.cache=null", "trainer.enable_progress_bar=false"]

# Every kind of recogniser, and every kind of labels.
KINDS = {
    "cnn2d_lstm": ["model=cnn2d_lstm", "model.encoder.hidden_size=8", "tokenizer=subwords",
                   "tokenizer.vocabulary_size=12"],
    "cascade": ["model=cascade_lstm", "model.encoder.branches=[ru]",
                "model.encoder.shared.hidden_size=8"],
    "seq2seq": ["model=seq2seq_gru", "model.encoder.hidden_size=8", "model.encoder.layers=1",
                "model.attention_decoder.hidden_size=8", "model.search.labels_per_second=4"],
    "quartznet": ["model=quartznet", "model.encoder.width=0.05", "features.normalise=running"],
    "word_classifier": ["model=word_classifier", "model.encoder.channels=[4,4,4]"],
}  # fmt: skip


def test_a_release_loads_and_decodes_where_its_training_is_gone(
    trained, released, tmp_path
) -> None:
    run = trained("а")
    place = released(run)
    shutil.rmtree(run)
    moved = tmp_path / "elsewhere"
    place.rename(moved)
    assert kaskad.load(moved).transcribe(tmp_path / "0.wav").text == "а"
    assert verify(moved).texts == ["а"] * 3
    assert verify(tmp_path / "releases" / "v1.tar.gz").texts == ["а"] * 3
    report = json.loads((moved / "report.json").read_text())
    assert report["corpora"]["test"]["figures"]["wer"] == pytest.approx(1 / 3, abs=1e-5)
    assert (moved / "tokenizer" / "labels.txt").read_text() == "\nа\nб\n"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_recogniser_is_released(kind: str, untrained, released, tmp_path) -> None:
    place = released(untrained(*KINDS[kind]), "v1", f"utterances=[{tmp_path / '0.wav'}]")
    expected = json.loads((place / "utterances" / "expected.json").read_text())
    found = kaskad.load(place).transcribe(place / "utterances" / "1.flac")
    assert [row["text"] for row in expected] == [found.text]
    assert verify(place).files == len([*place.rglob("*.*")])


def test_the_language_model_and_the_weights_of_the_decoder_go_along(
    trained, released, arpa: Path, tmp_path: Path
) -> None:
    decoder = ["decoder=beam", f"decoder.language_model='{arpa}'", "decoder.alpha=0.7"]
    place = released(trained("б"), "v1", *decoder)
    arpa.unlink()
    settings = yaml.safe_load((place / "config.yaml").read_text())["model"]["decoder"]
    assert settings["language_model"] == "./decoder/language_model.arpa"
    assert settings["alpha"] == 0.7
    assert kaskad.load(place).transcribe(tmp_path / "0.wav").text == "б"
    assert verify(place).texts == ["б"] * 3


def test_the_language_model_of_a_transducer_goes_along(untrained, released, arpa: Path) -> None:
    small = ["model.encoder.hidden_size=8", "model.prediction.hidden_size=8", "model.joint_size=8"]
    run = untrained("model=transducer", *small, f"model.search.language_model='{arpa}'")
    place = released(run)
    arpa.unlink()
    settings = yaml.safe_load((place / "config.yaml").read_text())["model"]["search"]
    assert settings["language_model"] == "./decoder/language_model.arpa"
    assert len(verify(place).texts) == 3


def test_a_language_model_is_released_alone_and_within_another_release(
    untrained, trained, released
) -> None:
    net = ["model.net.embedding_size=4", "model.net.hidden_size=8", "model.net.layers=1"]
    language = untrained("model=lstm_lm", *net, name="language")
    with pytest.raises(ConfigurationError, match="sentences: give some"):
        released(language, "lm")
    assert verify(released(language, "lm", "sentences=['а б','б']")).texts == ["а б", "б"]
    decoder = ["decoder=beam", "decoder.n_best=2", f"decoder.rescore={language}"]
    place = released(trained("а"), "v1", *decoder)
    shutil.rmtree(language)
    assert verify(place).texts == ["а"] * 3
    assert (place / "rescore" / "model.safetensors").is_file()


def test_exports_go_along_and_must_give_the_same(trained, released) -> None:
    place = released(trained("б"), "v1", "exports=[onnx,onnx_int8]")
    verified = verify(place)
    assert (verified.texts, verified.exports) == (["б"] * 3, ["onnx", "onnx_int8"])
    expected = place / "exports" / "onnx" / "expected.json"
    expected.write_text(expected.read_text().replace('"б"', '"а"'))
    write_sums(place)
    with pytest.raises(ReleaseError, match=r"exports/onnx: .* is transcribed as 'б'"):
        verify(place)


def test_nothing_private_is_released_and_the_team_keeps_its_notes(
    trained, released, tmp_path: Path
) -> None:
    run = trained("а", "+datamodule.access_token=hush", "callbacks=none")
    (run / "environment.json").write_text(
        json.dumps({"commit": "abc", "directory": str(tmp_path), "packages": {"torch": "2.11.0"}})
    )
    public = released(run)
    for file in public.rglob("*"):
        if file.suffix in (".yaml", ".json", ".md", ".txt"):
            text = file.read_text()
            assert str(tmp_path) not in text and "hush" not in text, file
    facts = json.loads((public / "release.json").read_text())
    assert (facts["commit"], facts["packages"]) == ("abc", {"torch": "2.11.0"})
    internal = released(run, "v1-internal", "internal=true", "notes='ask anna'")
    assert str(tmp_path) in (internal / "internal" / "config.yaml").read_text()
    assert "hush" not in (internal / "internal" / "config.yaml").read_text()
    assert "ask anna" in (internal / "internal" / "NOTES.md").read_text()


def test_a_release_is_compared_with_the_one_before_it(trained, released, tmp_path: Path) -> None:
    released(trained("б", name="first"), "v1")
    place = released(trained("а", name="second"), "v2", "purpose='to recognise letters'")
    told = json.loads((place / "release.json").read_text())["compared_with"]
    figures = told["corpora"]["test"]["figures"]["wer"]
    assert told["release"] == "v1"
    assert figures["difference"] == pytest.approx(-1 / 3, abs=1e-5)
    assert figures["verdict"] == "within chance"  # six utterances prove nothing
    card = (place / "CARD.md").read_text()
    header = yaml.safe_load(card.split("---")[1])
    assert header["pipeline_tag"] == "automatic-speech-recognition"
    assert header["model-index"][0]["results"][0]["metrics"][0]["type"] == "wer"
    assert "to recognise letters" in card and "within chance" in card
    lines = (tmp_path / "releases" / "CHANGELOG.md").read_text().splitlines()
    assert [line[:8] for line in lines[2:]] == ["- **v1**", "- **v2**"]


def test_a_release_is_never_overwritten_and_none_is_left_half_made(
    trained, released, tmp_path: Path
) -> None:
    run = trained("а")
    released(run)
    kept = (tmp_path / "releases" / "v1" / "SHA256SUMS").read_text()
    with pytest.raises(ReleaseError, match="never overwritten"):
        released(run)
    with pytest.raises(BoundsError, match="not good enough"):
        released(run, "v2", "data=table", f"data.root={tmp_path}/manifest.csv", "title=letters",
                 "+bounds.letters.wer=0.1", "critical=[letters]")  # fmt: skip
    with pytest.raises(ReleaseError, match="no such file to release"):
        released(run, "v3", "decoder=beam", "decoder.language_model=nowhere.arpa")
    with pytest.raises(ConfigurationError, match="name: no value yet"):
        released(run, "null")
    with pytest.raises(ReleaseError, match=r"name=\.hidden"):
        released(run, ".hidden")
    left = sorted(path.name for path in (tmp_path / "releases").iterdir())
    assert left == ["CHANGELOG.md", "v1", "v1.tar.gz"]
    assert (tmp_path / "releases" / "v1" / "SHA256SUMS").read_text() == kept


def test_all_releases_of_a_folder_are_tested(trained, released, compose, tmp_path: Path) -> None:
    for name, letter in (("v1", "а"), ("v2", "б")):
        released(trained(letter, name=f"run_{name}"), name)
    asked = [f"release={tmp_path / 'releases'}", "data=table", f"data.root={tmp_path}/manifest.csv"]
    (tmp_path / "tested").mkdir()
    figures = evaluate(compose("evaluate", tmp_path / "tested", *asked, *ALONE))
    assert figures["model_1/table/test/wer"] == pytest.approx(1 / 3, abs=1e-5)
    assert figures["model_2/table/test/wer"] == pytest.approx(2 / 3, abs=1e-5)
    with pytest.raises(CheckpointError, match="there is no release at or below"):
        evaluate(compose("evaluate", tmp_path / "tested", f"release={tmp_path / 'run_v1'}"))


def test_a_release_serves_wherever_a_checkpoint_does(trained, released, compose, tmp_path) -> None:
    place = released(trained("а"))
    checkpoint = torch.load(tmp_path / "run" / "checkpoints" / "best.ckpt", weights_only=True)
    read = read_checkpoint(find_checkpoint(place))
    for name, weight in checkpoint["state_dict"].items():
        assert torch.equal(weight, read["state_dict"][name])
    with pytest.raises(CheckpointError, match="unpack it"):
        kaskad.load(tmp_path / "releases" / "v1.tar.gz")
    with pytest.raises(CheckpointError, match="a folder of releases; give one of them"):
        kaskad.load(tmp_path / "releases")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("/home/anna/words.tsv", "words.tsv"),
        (["../words.tsv", "runs/g2p_pronunciations/"], ["words.tsv", "g2p_pronunciations"]),
    ],
)
def test_dictionaries_are_named_without_their_folders(given, kept) -> None:
    config = {"model": {"tokenizer": {"alphabet": ["/"], "pronunciations": given}}}
    assert public_settings(config, "best.ckpt")["model"]["tokenizer"] == {
        "alphabet": ["/"],
        "pronunciations": kept,
    }
