"""Bad recordings are named and left out, or stop the run before it starts; the rest is served."""

import logging
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as lightning
import torch

from kaskad.audio.augment.waveform import Augmentation, Speed
from kaskad.corpora.table import read_table
from kaskad.data.batch import Batch
from kaskad.data.checks import DataError
from kaskad.data.corpus import Corpus
from kaskad.data.datamodule import SpeechDataModule
from kaskad.data.samplers.balanced import Balanced
from kaskad.text.characters import CharacterTokenizer

WORDS = ["один", "два", "три", "четыре"]


def data_from(manifest: Path, *roles: str, **options) -> SpeechDataModule:
    """The same table in each of these roles, loaded."""
    corpora = {
        role: Corpus(role, "ru", partial(read_table, manifest), split="all") for role in roles
    }
    data = SpeechDataModule(corpora, 16_000, **{"workers": 0, "max_skipped": 0.5, **options})
    data.load(*roles)
    return data


def connected(data: SpeechDataModule) -> SpeechDataModule:
    data.connect(CharacterTokenizer().fit(data.transcripts("train")))
    return data


def add_row(manifest: Path, recording: Path, text: str) -> None:
    with manifest.open("a") as file:
        file.write(f"{recording.name},{text}\n")


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("missing", "missing.wav: there is no such file"),
        ("text", "text.wav: not an audio file, or a broken one"),
        ("raw", "bytes.raw: not an audio file, or a broken one"),
        ("empty", "empty.wav: holds no samples"),
        ("cut", "cut.mp3: breaks off"),
        ("ten minutes", "ten minutes.flac: 600.0 s, longer than max_seconds=30"),
        ("a click", "a click.wav: 0.01 s, shorter than min_seconds=0.05"),
        ("no transcript", "no transcript.wav: the transcript is empty"),
        ("no words", "no words.wav: the transcript is empty"),
    ],
)
def test_a_bad_recording_is_set_aside_and_named(
    make_corpus, write_tone, broken, caplog, fault: str, reason: str
) -> None:
    manifest = make_corpus(WORDS)
    bad = {
        **broken,
        "ten minutes": write_tone("ten minutes.flac", seconds=600, sample_rate=8_000),
        "a click": write_tone("a click.wav", seconds=0.01),
        "no transcript": write_tone("no transcript.wav"),
        "no words": write_tone("no words.wav"),
    }
    add_row(manifest, bad[fault], {"no transcript": "", "no words": '" — !"'}.get(fault, "пять"))
    data = data_from(manifest, "train")
    assert data.manifests["train"]["text"].to_list() == WORDS
    ((corpus, id, message),) = data.skipped.rows()
    assert (corpus, id) == ("train", bad[fault].name)
    assert message.startswith(f"{manifest.parent}/{reason}")
    assert f"train: set aside 1 of 5 utterances ({message})" in caplog.text


def test_what_shows_only_in_the_reading_is_named_in_its_batch(make_corpus, broken) -> None:
    manifest = make_corpus(WORDS)
    add_row(manifest, broken["nan"], "пять")
    (batch,) = connected(data_from(manifest, "train")).train_dataloader()
    assert sorted(batch.texts) == sorted(WORDS)
    assert batch.waveforms.isfinite().all()
    (skipped,) = batch.skipped
    assert (skipped.corpus, skipped.id) == ("train", "nan.wav")
    assert "nan.wav: holds samples that are not finite" in skipped.reason


def test_a_batch_of_nothing_readable_is_empty_but_names_what_was_to_be_there(
    make_corpus, broken
) -> None:
    manifest = make_corpus(WORDS)
    data = connected(data_from(manifest, "train", max_utterances=1))
    for index in range(len(WORDS)):
        (manifest.parent / f"{index}.wav").write_bytes(broken["nan"].read_bytes())
    batches = list(data.train_dataloader())
    assert [len(batch) for batch in batches] == [0] * 4
    assert sorted(batch.skipped[0].id for batch in batches) == [f"{n}.wav" for n in range(4)]


def test_a_run_stops_before_it_starts_when_too_little_is_usable(make_corpus, broken) -> None:
    manifest = make_corpus(WORDS)
    add_row(manifest, broken["text"], "пять")
    add_row(manifest, broken["missing"], "шесть")
    message = (
        r"corpus 'train': 2 of 6 utterances cannot be used \(\S+/text.wav: not an audio file.*; "
        r"\S+/missing.wav: .*\); mend them, or allow more with datamodule.max_skipped \(now 0.2\)"
    )
    with pytest.raises(DataError, match=message):
        data_from(manifest, "train", max_skipped=0.2)
    assert data_from(manifest, "train", max_skipped=0.4).skipped.height == 2


def test_a_run_stops_when_nothing_is_usable_whatever_may_be_skipped(make_corpus) -> None:
    manifest = make_corpus(WORDS)
    with pytest.raises(
        DataError, match=r"4 of 4 utterances cannot be used \(\S+/0.wav: 1.0 s, long"
    ):
        data_from(manifest, "train", max_skipped=1.0, max_seconds=0.5)


def test_a_corpus_without_rows_is_refused(make_corpus) -> None:
    corpus = Corpus("test", "ru", partial(read_table, make_corpus(WORDS, split=["train"] * 4)))
    data = SpeechDataModule({"exam": corpus}, 16_000)
    with pytest.raises(
        DataError, match="corpus 'exam' is empty: its manifest has no rows for this"
    ):
        data.load("test")


def test_a_role_without_a_corpus_is_refused(make_corpus) -> None:
    manifest = make_corpus(WORDS)
    with pytest.raises(DataError, match=r"no corpus has the role 'test'; .* train \(train\)"):
        data_from(manifest, "train").load("test")
    with pytest.raises(
        ValueError, match="unknown role 'exam'; known: train, train_ext, validation"
    ):
        data_from(manifest, "exam")


def test_batches_are_not_served_before_there_are_labels(make_corpus) -> None:
    with pytest.raises(DataError, match=r"call connect\(tokenizer\)"):
        data_from(make_corpus(WORDS), "train").train_dataloader()


@pytest.mark.parametrize(
    ("options", "note"),
    [
        ({"sample_rate": 8_000}, "train: 1 files are at 8000 Hz; read at 16000 Hz"),
        ({"channels": 2}, "train: 1 files have several channels; read as their average"),
    ],
)
def test_stereo_and_other_rates_are_converted_and_reported(
    make_corpus, write_tone, caplog, options, note: str
) -> None:
    caplog.set_level(logging.INFO)
    manifest = make_corpus(WORDS)
    add_row(manifest, write_tone("other.wav", **options), "пять")
    data = connected(data_from(manifest, "train"))
    assert note in caplog.text
    (batch,) = data.train_dataloader()
    assert batch.waveforms.shape == (5, 16_000)
    assert batch.waveform_lengths.tolist() == [16_000] * 5
    torch.testing.assert_close(
        batch.waveforms, batch.waveforms[:1].expand(5, -1), atol=0.01, rtol=0
    )


def test_characters_outside_the_alphabet_are_counted_and_warned_of(make_corpus, caplog) -> None:
    manifest = make_corpus(["двѣ", "двѣ сотни", "два x", "два"])
    data = data_from(manifest, "test")
    data.connect(CharacterTokenizer().fit(["два", "сотни "]))
    assert data.unknown_characters == {"test": {"x": 1, "ѣ": 2}}
    assert (
        "test: no label stands for 2 units of its transcripts ('x' in 1, 'ѣ' in 2)" in caplog.text
    )
    (batch,) = data.test_dataloader()[0]
    assert sorted(batch.texts) == ["два", "два x", "двѣ", "двѣ сотни"]  # tested all the same


def test_what_ctc_cannot_align_is_set_aside_except_from_the_test(make_corpus) -> None:
    manifest = make_corpus(["да", "анна", "нет"], [1.0, 0.4, 1.0])
    data = data_from(manifest, "train", "validation", "test")
    data.connect(CharacterTokenizer(list("аднет")), frames_of=lambda samples: samples // 1_600)
    # Four letters and a blank between two equal ones need five frames; there are four.
    assert [data.manifests[role].height for role in ("train", "validation", "test")] == [2, 2, 3]
    assert data.skipped["corpus"].to_list() == ["train", "validation"]
    reason = f"{manifest.parent}/1.wav: CTC needs 5 frames for the transcript, there are 4"
    assert data.skipped["reason"].to_list() == [reason] * 2


def test_a_batch_is_padded_with_zeros_and_holds_the_labels_of_its_texts(make_corpus) -> None:
    data = connected(data_from(make_corpus(WORDS, [0.5, 0.25, 1.0, 0.75]), "train"))
    (batch,) = data.train_dataloader()
    assert (len(batch), batch.language) == (4, "ru")
    assert batch.waveform_lengths.sort().values.tolist() == [4_000, 8_000, 12_000, 16_000]
    for row, id in enumerate(batch.ids):
        assert batch.texts[row] == WORDS[int(id.removesuffix(".wav"))]
        assert not batch.waveforms[row, batch.waveform_lengths[row] :].any()
        labels = batch.targets[row, : batch.target_lengths[row]].tolist()
        assert data.tokenizer.decode(labels) == batch.texts[row]


def test_validation_and_test_are_never_augmented(make_corpus) -> None:
    faster = Augmentation([Speed([2.0])])
    data = connected(data_from(make_corpus(WORDS), "train", "validation", "test", augment=faster))
    loaders = [data.train_dataloader(), data.val_dataloader(), *data.test_dataloader()]
    assert [next(iter(loader)).waveforms.shape[1] for loader in loaders] == [8_000, 16_000, 16_000]


class Listener(lightning.LightningModule):
    """Learns nothing, and remembers what it was given in each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.batches_by_epoch: dict[int, list[Batch]] = {}

    def training_step(self, batch: Batch, index: int) -> None:
        self.batches_by_epoch.setdefault(self.current_epoch, []).append(batch)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.mark.parametrize("workers", [0, 1])
def test_lightning_gives_every_epoch_its_own_order_and_augmentation(
    make_corpus, workers: int
) -> None:
    noise = Augmentation([lambda samples, _: samples + np.random.normal(0, 0.1, len(samples))])
    manifest = make_corpus([f"{n}" for n in range(12)])
    data = data_from(manifest, "train", max_utterances=2, augment=noise, workers=workers)
    listener = Listener()
    trainer = lightning.Trainer(
        accelerator="cpu",
        max_epochs=3,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(listener, connected(data).train_dataloader())
    orders = [
        [id for batch in batches for id in batch.ids]
        for batches in listener.batches_by_epoch.values()
    ]
    assert [sorted(order) for order in orders] == [sorted(orders[0])] * 3
    assert orders[0] != orders[1] != orders[2] != orders[0]
    batches_by_epoch = {
        waveform.numpy().tobytes()
        for batches in listener.batches_by_epoch.values()
        for batch in batches
        for waveform in batch.waveforms
    }
    assert len(batches_by_epoch) == 3 * 12


def test_a_trainer_that_overfits_gets_the_same_batches_in_every_epoch(make_corpus) -> None:
    data = connected(data_from(make_corpus(WORDS * 8), "train", batch_seconds=4.0))
    data.trainer = lightning.Trainer(overfit_batches=2, accelerator="cpu", logger=False)
    epochs = []
    for epoch in range(2):
        loader = data.train_dataloader()
        loader.batch_sampler.set_epoch(epoch)
        epochs.append([batch.ids for batch in loader])
    assert epochs[0] == epochs[1]


def test_the_number_of_workers_changes_nothing(make_corpus) -> None:
    manifest = make_corpus([f"{n}" for n in range(8)], list(np.linspace(0.2, 0.9, 8)))
    options = {"max_utterances": 3, "seed": 3, "augment": Augmentation([Speed()])}
    runs = [
        list(connected(data_from(manifest, "train", workers=n, **options)).train_dataloader())
        for n in (0, 1)
    ]
    for one, two in zip(*runs, strict=True):
        assert one.ids == two.ids
        assert torch.equal(one.waveforms, two.waveforms)


def test_corpora_of_one_role_train_as_one(make_corpus) -> None:
    manifest = make_corpus(WORDS)
    corpora = {
        name: Corpus("train", language, partial(read_table, manifest), split="all")
        for name, language in (("real", "ru"), ("synthetic", "uk"))
    }
    sampler = partial(Balanced, by="corpus", shares={"synthetic": 0.25})
    data = SpeechDataModule(corpora, 16_000, workers=0, sampler=sampler)
    data.load("train")
    (batch,) = connected(data).train_dataloader()
    assert batch.corpus == "real + synthetic"
    sources = [id_.split("/")[0] for id_ in batch.ids]
    assert (sources.count("real"), sources.count("synthetic")) == (6, 2)
    assert sum(1 for _ in data.excerpt(100)) == 8
