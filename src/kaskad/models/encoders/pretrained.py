"""Encoders that others trained: wav2vec 2.0, HuBERT, WavLM, w2v-BERT, the encoder of Whisper."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
import transformers
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from kaskad.audio.masks import Count, padding_mask
from kaskad.models.encoders.architecture import KINDS
from kaskad.models.encoders.encoder import Encoder

NETS: dict[str, Any] = {
    "wav2vec2": transformers.Wav2Vec2Model,
    "hubert": transformers.HubertModel,
    "wavlm": transformers.WavLMModel,
    "wav2vec2-bert": transformers.Wav2Vec2BertModel,
    "whisper": transformers.WhisperModel,
}
ATTENTION = ["q_proj", "v_proj", "linear_q", "linear_v"]  # matrices that LoRA is put beside
TINY = 1e-7  # added to a variance, as transformers does


class PretrainedEncoder(Encoder):
    """(batch, samples, 1), of ``features=samples``, to what the last layer gives.

    The net is made as ``architecture`` says, without the weights of ``pretrained``, which
    ``load_pretrained`` reads where a training begins: a checkpoint has its own. Samples are
    normalised as its authors did. Alone or in a batch, an utterance gives the same.

    Args:
        pretrained: a folder, or a name on the Hugging Face Hub.
        architecture: what ``read_architecture`` found there.
        download: whether it may be downloaded.
        freeze_features: leave what makes features of samples as it is.
        frozen_layers: of the layers after these, so many of the first stay as they are.
        layer_decay: the learning rate of a layer, times that of the one after it.
        lora_rank: train only matrices of this rank beside those of attention (``None``: train all).
        lora_alpha: what these are multiplied by, over the rank.

    Sources: Baevski et al., "wav2vec 2.0" (2020); Hsu et al., "HuBERT" (2021); Chen et al., "WavLM"
    (2022); Barrault et al., "Seamless" (2023); Radford et al., "Robust Speech Recognition via
    Large-Scale Weak Supervision" (2022); Hu et al., "LoRA" (2021).
    """

    def __init__(
        self,
        pretrained: str,
        architecture: Mapping[str, Any],
        download: bool = False,
        freeze_features: bool = True,
        frozen_layers: int = 0,
        layer_decay: float = 1.0,
        lora_rank: int | None = None,
        lora_alpha: float = 16.0,
    ) -> None:
        super().__init__()
        # Some choose how a layer is computed, and transformers fetches and runs what they name.
        described = _plain(architecture["config"])
        settings = {key: value for key, value in described.items() if "implementation" not in key}
        self.kind = settings.pop("model_type")
        if self.kind not in KINDS:
            raise ValueError(f"architecture is a {self.kind}; it can be one of {', '.join(KINDS)}")
        self.pretrained = pretrained
        self.download = download
        self.layer_decay = layer_decay
        config = NETS[self.kind].config_class(**settings)
        config.apply_spec_augment = False  # utterances may be shorter than what it hides
        net = NETS[self.kind](config)
        self.net: Any = net.encoder if self.kind == "whisper" else net
        self.dim = config.d_model if self.kind == "whisper" else config.hidden_size
        self.strides: list[tuple[int, int]] = []
        self.samples_at_once: int | None = None
        wanted = _plain(architecture["features"])
        if self.kind in ("whisper", "wav2vec2-bert"):
            self.extractor = _extractor(self.kind, wanted)
            self.time_reduction = self._hop() * 2
        else:
            self.strides = list(zip(config.conv_kernel, config.conv_stride, strict=True))
            self.time_reduction = math.prod(config.conv_stride)
            self.is_normalised = wanted.get("do_normalize", True)
            # Statistics over the whole of an utterance must not see what pads it.
            self.is_alone = config.feat_extract_norm == "group"
        self._freeze(freeze_features, frozen_layers, lora_rank, lora_alpha)

    def frame_count(self, frames: Count) -> Count:
        if self.kind == "whisper":
            return super().frame_count(frames)
        if self.kind == "wav2vec2-bert":
            return (1 + (frames - 400) // self._hop()) // 2
        for kernel, stride in self.strides:
            frames = (frames - kernel) // stride + 1
        return frames

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        samples = features[:, :, 0]
        counts = self.frame_count(lengths).clamp(min=1)
        if self.kind == "whisper":
            return self._whisper(samples, lengths), counts
        if self.kind == "wav2vec2-bert":
            return self._bert(samples, lengths, counts), counts
        least = self._least_samples()
        if samples.shape[1] < least:
            samples = F.pad(samples, (0, least - samples.shape[1]))
        if self.is_normalised:
            samples = _normalised(samples, lengths)
        hidden = self.net.feature_projection(self._convolved(samples, lengths.clamp(min=least)))
        hidden = hidden[0] if isinstance(hidden, tuple) else hidden
        inside = ~padding_mask(counts, hidden.shape[1])
        encoded = self.net.encoder(hidden.clone(), attention_mask=inside).last_hidden_state
        return encoded, counts

    @torch.no_grad()
    def load_pretrained(self) -> None:
        """Take the weights of ``pretrained``; raises ``ValueError`` where one is not there."""
        whole = NETS[self.kind].from_pretrained(self.pretrained, local_files_only=not self.download)
        weights = (whole.encoder if self.kind == "whisper" else whole).state_dict()
        for name, weight in self.net.state_dict().items():
            if "lora_" in name:
                continue
            found = weights.get(name.replace(".base_layer", ""))
            if found is None or found.shape != weight.shape:
                raise ValueError(
                    f"model.encoder.pretrained={self.pretrained}: its weights have no {name} of "
                    f"the shape {tuple(weight.shape)}"
                )
            weight.copy_(found)

    def rate_scales(self) -> dict[str, float]:
        """What the learning rate of each weight is multiplied by, by its name in this encoder."""
        layers = self._layers()
        scales = {}
        for name, _ in self.named_parameters():
            depth = next(
                (len(layers) - n for n, layer in layers.items() if name.startswith(f"{layer}.")),
                len(layers) + 1,
            )
            scales[name] = self.layer_decay**depth
        return scales

    def _layers(self) -> dict[int, str]:
        """The name in this encoder of each layer, by its number from 0 on."""
        place = "net.layers" if self.kind == "whisper" else "net.encoder.layers"
        return {n: f"{place}.{n}" for n in range(len(self.get_submodule(place)))}  # type: ignore[arg-type]

    def _freeze(self, features: bool, layers: int, rank: int | None, alpha: float) -> None:
        names = self._layers()
        if not 0 <= layers <= len(names):
            raise ValueError(f"frozen_layers is {layers}; this encoder has {len(names)} layers")
        if rank is not None:
            from peft import LoraConfig, inject_adapter_in_model

            found = LoraConfig(r=rank, lora_alpha=alpha, target_modules=ATTENTION)  # type: ignore[arg-type]
            inject_adapter_in_model(found, self.net)
            for name, weight in self.net.named_parameters():
                weight.requires_grad_("lora_" in name)
        if features:
            parts = (
                ("conv1", "conv2")
                if self.kind == "whisper"
                else ("feature_projection",)
                if self.kind == "wav2vec2-bert"
                else ("feature_extractor",)
            )
            for part in parts:
                self.net.get_submodule(part).requires_grad_(False)
        for number in range(layers):
            self.get_submodule(names[number]).requires_grad_(False)

    def _convolved(self, samples: Tensor, lengths: Tensor) -> Tensor:
        """What the convolutions make of samples: (batch, frames', channels)."""
        convolve = self.net.feature_extractor
        if not self.is_alone:
            return convolve(samples).transpose(1, 2)
        each = [convolve(row[None, :n])[0].T for row, n in zip(samples, lengths, strict=True)]
        return pad_sequence(each, batch_first=True)

    def _whisper(self, samples: Tensor, lengths: Tensor) -> Tensor:
        at_most = self.extractor.n_samples
        if int(lengths.max()) > at_most:
            seconds = at_most / self.extractor.sampling_rate
            raise ValueError(
                f"Whisper takes {seconds:g} seconds at once, and an utterance is longer: "
                f"datamodule.max_seconds={seconds:g}"
            )
        waveforms = [row[:n].cpu().numpy() for row, n in zip(samples, lengths, strict=True)]
        made = self.extractor(
            waveforms, sampling_rate=self.extractor.sampling_rate, return_tensors="pt"
        )
        encoded = self.net(made.input_features.to(samples.device)).last_hidden_state
        return encoded[:, : int(self.frame_count(lengths).max())]

    def _bert(self, samples: Tensor, lengths: Tensor, counts: Tensor) -> Tensor:
        rate = self.extractor.sampling_rate
        made = []
        for row, length in zip(samples, lengths.tolist(), strict=True):
            waveforms = row[: max(length, 720)].cpu().numpy()  # two frames at least
            waveforms = np.pad(waveforms, (0, max(0, 720 - len(waveforms))))
            one = self.extractor(
                waveforms, sampling_rate=rate, return_tensors="pt", pad_to_multiple_of=None
            )
            made.append(one.input_features[0])
        padded = pad_sequence(made, batch_first=True).to(samples.device)
        inside = ~padding_mask(counts, padded.shape[1])
        return self.net(padded, attention_mask=inside.long()).last_hidden_state

    def _hop(self) -> int:
        return int(getattr(self.extractor, "hop_length", 160))

    def _least_samples(self) -> int:
        """What one frame looks at."""
        samples = 1
        for kernel, stride in reversed(self.strides):
            samples = (samples - 1) * stride + kernel
        return samples


def _plain(value: Any) -> Any:
    """A configuration as dictionaries and lists, which transformers insists on."""
    if isinstance(value, Mapping):
        return {key: _plain(child) for key, child in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(child) for child in value]
    return value


def _extractor(kind: str, settings: Mapping[str, Any]) -> Any:
    kinds = {
        "whisper": transformers.WhisperFeatureExtractor,
        "wav2vec2-bert": transformers.SeamlessM4TFeatureExtractor,
    }
    left_out = ("feature_extractor_type", "processor_class")
    return kinds[kind](**{k: v for k, v in settings.items() if k not in left_out})


def _normalised(samples: Tensor, lengths: Tensor) -> Tensor:
    """Mean 0 and variance 1 over each utterance, 0 beyond it."""
    outside = padding_mask(lengths, samples.shape[1])
    count = lengths[:, None]
    mean = samples.masked_fill(outside, 0.0).sum(1, keepdim=True) / count
    variance = (samples - mean).masked_fill(outside, 0.0).square().sum(1, keepdim=True) / count
    return ((samples - mean) / (variance + TINY).sqrt()).masked_fill(outside, 0.0)
