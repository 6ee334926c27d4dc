"""Encoders that others trained: tiny ones of random weights, saved as the library saves them."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from hydra.utils import instantiate
from omegaconf import OmegaConf

from kaskad.config.messages import ConfigurationError
from kaskad.models.encoders.architecture import read_architecture
from kaskad.models.encoders.pretrained import PretrainedEncoder
from kaskad.models.transfer import take_pretrained
from kaskad.runs.trusted_parts import load_model

SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
         "intermediate_size": 16}  # fmt: skip
CONVOLVED = {**SMALL, "conv_dim": [8, 8], "conv_kernel": [10, 8], "conv_stride": [5, 4],
             "num_feat_extract_layers": 2, "num_conv_pos_embeddings": 8,
             "num_conv_pos_embedding_groups": 2}  # fmt: skip
CONFIGS = {
    "wav2vec2": transformers.Wav2Vec2Config(**CONVOLVED),
    "hubert": transformers.HubertConfig(**CONVOLVED, feat_extract_norm="layer"),
    "wavlm": transformers.WavLMConfig(**CONVOLVED, num_buckets=8, max_bucket_distance=16),
    "wav2vec2-bert": transformers.Wav2Vec2BertConfig(**SMALL, conv_depthwise_kernel_size=5),
    "whisper": transformers.WhisperConfig(
        d_model=16, encoder_layers=2, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16, vocab_size=20,
        max_source_positions=100, pad_token_id=0, bos_token_id=1, eos_token_id=2,
        decoder_start_token_id=1, suppress_tokens=None, begin_suppress_tokens=None,
    ),
}  # fmt: skip
EXTRACTORS = {
    "whisper": transformers.WhisperFeatureExtractor(chunk_length=2),
    "wav2vec2-bert": transformers.SeamlessM4TFeatureExtractor(),
}
NETS = {"wav2vec2": transformers.Wav2Vec2Model, "hubert": transformers.HubertModel,
        "wavlm": transformers.WavLMModel, "wav2vec2-bert": transformers.Wav2Vec2BertModel,
        "whisper": transformers.WhisperModel}  # fmt: skip


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory):
    """Folders with a tiny net of each kind, by its name."""
    folders = {}
    for kind, config in CONFIGS.items():
        torch.manual_seed(0)
        folders[kind] = tmp_path_factory.mktemp(kind)
        NETS[kind](config).save_pretrained(folders[kind])
        default = transformers.Wav2Vec2FeatureExtractor(do_normalize=True)
        EXTRACTORS.get(kind, default).save_pretrained(folders[kind])
    return folders


def noise(samples: int, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return (0.1 * generator.normal(size=samples)).astype(np.float32)


def encoder_of(folder: Path, **options) -> PretrainedEncoder:
    encoder = PretrainedEncoder(str(folder), read_architecture(str(folder)), **options)
    encoder.load_pretrained()
    return encoder.eval()


@pytest.mark.parametrize("kind", CONFIGS)
@torch.no_grad()
def test_it_gives_what_transformers_gives_alone_and_in_a_batch(kind: str, saved) -> None:
    folder = saved[kind]
    encoder = encoder_of(folder)
    clips = [noise(16_000), noise(9_123, 1)]
    extract = transformers.AutoFeatureExtractor.from_pretrained(folder)
    net = NETS[kind].from_pretrained(folder).eval()
    net = net.encoder if kind == "whisper" else net
    batch = torch.zeros(2, 16_000, 1)
    for row, clip in zip(batch, clips, strict=True):
        row[: len(clip), 0] = torch.from_numpy(clip)
    together, counts = encoder(batch, torch.tensor([16_000, 9_123]))
    for row, clip in enumerate(clips):
        alone, (count,) = encoder(torch.from_numpy(clip)[None, :, None], torch.tensor([len(clip)]))
        made = extract(clip, sampling_rate=16_000, return_tensors="pt")
        if kind != "wav2vec2-bert":  # of which half a frame may be padding
            made.pop("attention_mask", None)
        wanted = net(**made).last_hidden_state[0, :count]
        assert count == counts[row] == encoder.frame_count(len(clip))
        torch.testing.assert_close(alone[0, :count], wanted, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(together[row, :count], wanted, atol=1e-4, rtol=1e-4)


def recogniser_of(compose, folder: Path, work: Path, *overrides: str):
    config = compose("train", work, "model=pretrained_ctc", "data=numbers",
                     f"model.encoder.pretrained={folder}", "tokenizer.alphabet=['а','б']",
                     *overrides)  # fmt: skip
    return instantiate(config.model), config


def test_a_checkpoint_needs_nothing_of_where_its_weights_came_from(
    compose, saved, tmp_path: Path
) -> None:
    moved = tmp_path / "hubert"
    moved.mkdir()
    for file in saved["hubert"].iterdir():
        (moved / file.name).write_bytes(file.read_bytes())
    recogniser, config = recogniser_of(compose, moved, tmp_path)
    take_pretrained(recogniser)
    resolved = OmegaConf.to_container(config, resolve=True)
    saved_as = {"config": resolved, "state_dict": recogniser.state_dict()}
    torch.save(saved_as, tmp_path / "a.ckpt")
    for file in moved.iterdir():
        file.unlink()
    loaded, _ = load_model(tmp_path / "a.ckpt")
    found = [each.eval().transcribe(noise(8_000)) for each in (recogniser, loaded)]
    assert found[0].score == pytest.approx(found[1].score)


def test_lower_layers_learn_more_slowly_and_frozen_ones_not_at_all(
    compose, saved, tmp_path: Path
) -> None:
    recogniser, _ = recogniser_of(
        compose, saved["wav2vec2"], tmp_path, "model.encoder.layer_decay=0.5",
        "model.encoder.frozen_layers=1", "optimizer.lr=0.01",
    )  # fmt: skip
    optimizer = recogniser.make_optimizer(recogniser.weights_to_learn())
    rates = {id(w): group["lr"] for group in optimizer.param_groups for w in group["params"]}
    layers = recogniser.encoder.net.encoder.layers
    weights = [next(layers[n].parameters()) for n in (0, 1)]
    assert [rates[id(w)] for w in weights] == [0.0025, 0.005]
    assert rates[id(recogniser.head.weight)] == 0.01
    assert [w.requires_grad for w in weights] == [False, True]
    assert not any(w.requires_grad for w in recogniser.encoder.net.feature_extractor.parameters())
    schedule = recogniser.make_schedule(optimizer, 100)["scheduler"]
    peak = {}
    for _ in range(99):
        optimizer.step()
        schedule.step()
        for group in optimizer.param_groups:
            scale = group["scale"]
            peak[scale] = max(peak.get(scale, 0.0), group["lr"])
    assert peak[0.25] == pytest.approx(0.25 * peak[1.0])


def test_lora_trains_little_and_begins_as_the_net_was(compose, saved, tmp_path: Path) -> None:
    plain = encoder_of(saved["wavlm"])
    lora = encoder_of(saved["wavlm"], lora_rank=2)
    samples, lengths = torch.from_numpy(noise(8_000))[None, :, None], torch.tensor([8_000])
    with torch.no_grad():
        torch.testing.assert_close(lora(samples, lengths)[0], plain(samples, lengths)[0])
    trained = {name for name, weight in lora.named_parameters() if weight.requires_grad}
    assert trained and all("lora_" in name for name in trained)


def test_what_is_not_there_or_is_something_else_is_refused(tmp_path: Path, saved) -> None:
    with pytest.raises(ConfigurationError, match="no such folder, and nothing of this name"):
        read_architecture(str(tmp_path / "nowhere"))
    with pytest.raises(ConfigurationError, match="no such folder, and nothing of this name"):
        read_architecture("nobody/has-this-model")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(ConfigurationError, match="is a bert; an encoder can be one of wav2vec2"):
        read_architecture(str(tmp_path))
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ConfigurationError, match="cannot be read as JSON"):
        read_architecture(str(tmp_path))
    other = read_architecture(str(saved["wavlm"]))
    with pytest.raises((ValueError, OSError)):
        PretrainedEncoder(str(tmp_path / "gone"), other).load_pretrained()
