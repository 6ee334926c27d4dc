"""What a recogniser needs beside its weights, as files of a release."""

import base64
import shutil
from pathlib import Path
from typing import Any

import yaml
from torch import Tensor, nn

from kaskad.audio.features import Features
from kaskad.audio.normalise import FromCorpus
from kaskad.decoding.pretrained_text import CONFIG as PRETRAINED
from kaskad.decoding.pretrained_text import is_pretrained
from kaskad.releases.settings import Settings, public_settings
from kaskad.reports.readable_json import to_json
from kaskad.runs.checkpoints import find_checkpoint, read_checkpoint
from kaskad.runs.released import CONFIG, FILE_OPTIONS, NO_FILE, WEIGHTS, WITHIN, ReleaseError
from kaskad.text.subwords import SubwordTokenizer
from kaskad.text.tokenizer import Tokenizer

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def write_weights(weights: dict[str, Tensor], file: Path) -> None:
    """Write weights as safetensors; raises ``ReleaseError`` for what that format cannot hold."""
    from safetensors.torch import save_file  # of an extra

    # A copy each: two names of one tensor are refused there.
    plain = {name: weight.detach().clone().contiguous() for name, weight in weights.items()}
    try:
        save_file(plain, file)
    except (ValueError, RuntimeError) as error:
        raise ReleaseError(
            f"{file}: these weights cannot be kept as safetensors: {error}"
        ) from None


def write_settings(settings: Settings, file: Path) -> None:
    """Write settings as YAML that a person reads, and that reads back the same."""
    text = yaml.dump(settings, Dumper=_DUMPER, allow_unicode=True, sort_keys=False, width=100)
    if yaml.load(text, Loader=_LOADER) != settings:
        raise ReleaseError(f"{file}: these settings do not survive being written as YAML")
    file.write_text(text, encoding="utf-8")


def gather_decoder_files(part: str, decoder: Settings, folder: Path) -> Settings:
    """Copy what the options of a decoder, that ``part`` of a model, name into the release
    ``folder``; returns the options, which name the copies.

    Raises ``ReleaseError`` where one is not there.
    """
    gathered = dict(decoder)
    for option in FILE_OPTIONS:
        value = decoder.get(option)
        if isinstance(value, str) and value != NO_FILE:
            gathered[option] = WITHIN + _gather(f"{part}.{option}", Path(value), folder)
    return gathered


def _gather(name: str, source: Path, folder: Path) -> str:
    """Copy one file, or of a language model that reads whole texts, its weights and settings."""
    if not source.exists():
        raise ReleaseError(f"{name}={source}: there is no such file to release")
    option = name.partition(".")[2]
    place = folder / "decoder"
    place.mkdir(exist_ok=True)
    if option == "rescore" and is_pretrained(source):
        return f"rescore/{_copy_pretrained(source, folder / 'rescore')}"
    if option == "rescore":
        checkpoint = find_checkpoint(source)
        other = read_checkpoint(checkpoint)
        rescorer = folder / "rescore"
        rescorer.mkdir()
        write_weights(other["state_dict"], rescorer / WEIGHTS)
        write_settings(public_settings(other["config"], str(checkpoint)), rescorer / CONFIG)
        return f"rescore/{WEIGHTS}"
    copy = f"{option}{_suffix(option, source)}"
    shutil.copyfile(source, place / copy)
    return f"decoder/{copy}"


def _copy_pretrained(source: Path, place: Path) -> str:
    """Copy a language model of transformers, and nothing that could run; returns the name of the
    file that stands for it."""
    place.mkdir()
    for file in (source.parent if source.is_file() else source).iterdir():
        if file.is_file() and file.suffix in (".json", ".safetensors", ".txt", ".model"):
            shutil.copyfile(file, place / file.name)
    return PRETRAINED


def _suffix(option: str, source: Path) -> str:
    """What the copy is called by, whatever its name was: readers look at what stands in it."""
    if option == "priors":
        return ".json"
    from kaskad.ngrams.kenlm import BINARY, PACKED, is_language_model  # of an extra

    if option == "lexicon" and not is_language_model(source):
        return ".txt"
    with source.open("rb") as file:
        begins = file.read(len(BINARY))
    return ".kenlm" if begins == BINARY else ".arpa.gz" if begins.startswith(PACKED) else ".arpa"


def write_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
    """Write the labels, one a line, and of subwords SentencePiece's own file, for other programs;
    the recogniser takes both from config.yaml."""
    folder.mkdir()
    labels = [label.replace("\n", "\\n") for label in tokenizer.labels]
    (folder / "labels.txt").write_text("".join(f"{label}\n" for label in labels), "utf-8")
    if isinstance(tokenizer, SubwordTokenizer) and tokenizer.model is not None:
        (folder / "sentencepiece.model").write_bytes(base64.b64decode(tokenizer.model))


def write_normalisation(model: nn.Module, file: Path) -> None:
    """Write how features are normalised, its statistics with three decimals: to be read, for the
    exact ones are weights."""
    features = getattr(model, "features", None)
    if not isinstance(features, Features):
        return
    normalisation = features.normalisation
    statistics: dict[str, Any] = {"kind": type(normalisation).__name__}
    if isinstance(normalisation, FromCorpus):
        statistics |= normalisation.corpus.summary()
    file.write_text(to_json(statistics), encoding="utf-8")
