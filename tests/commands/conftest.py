"""What tests of commands share: recognisers of one letter, correctors of one word."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from kaskad.data.corrections import CorrectionDataModule, Sentence
from kaskad.runs.trusted_parts import instantiate_trusted


@pytest.fixture
def always(compose, tmp_path: Path):
    """Make the checkpoint of a recogniser that outputs one letter for everything."""

    def make(letter: str) -> Path:
        alphabet = "tokenizer.alphabet=['а','б']"
        config = compose("train", tmp_path, "data=table", "data.root=.", "model=lstm", alphabet)
        recogniser = instantiate(config.model)
        recogniser.head.weight.data.zero_()
        recogniser.head.bias.data = torch.tensor(
            [0.0, 9.0 * (letter == "а"), 9.0 * (letter == "б")]
        )
        resolved = OmegaConf.to_container(config, resolve=True)
        path = tmp_path / f"{'ab'['аб'.index(letter)]}.ckpt"  # a letter that Hydra reads
        torch.save({"config": resolved, "state_dict": recogniser.state_dict()}, path)
        return path

    return make


@pytest.fixture
def corrector_of(tmp_path: Path) -> Callable[[str, str, str], Path]:
    """Teach a corrector of a language that one word is another, and save it as a run does."""

    def make(hypothesis: str, reference: str, language: str) -> Path:
        torch.manual_seed(0)
        letters = sorted({*hypothesis, *reference, " "})
        tokenizer = {
            "_target_": "kaskad.text.WordTokenizer",
            "alphabet": sorted({hypothesis, reference}),
        }
        node: dict[str, Any] = {
            "_target_": "kaskad.models.Corrector",
            "letters": {"_target_": "kaskad.text.CharacterTokenizer", "alphabet": letters},
            "tokenizer": tokenizer,
            "embedding_size": 8,
            "encoder": {
                "_target_": "kaskad.models.RecurrentEncoder",
                "input_size": 8,
                "cell": "gru",
                "hidden_size": 8,
                "layers": 1,
                "bidirectional": True,
                "dropout": 0.0,
            },
        }
        model = instantiate_trusted(node, tmp_path)
        rows = [
            Sentence(hypothesis, reference, []),
            Sentence(reference, reference, []),
            Sentence("", "", []),
        ]
        batch = CorrectionDataModule.collate(rows, model.letters, model.tokenizer)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
        for _ in range(60):
            optimizer.zero_grad()
            model.losses(batch).sum().backward()
            optimizer.step()
        model.margin.fill_(0.0)
        path = tmp_path / f"corrector_{language}.ckpt"
        corpora = {"train": {"role": "train", "language": language}}
        config = {"model": node, "data": {"corpora": corpora}}
        torch.save({"config": config, "state_dict": model.state_dict()}, path)
        return path

    return make
