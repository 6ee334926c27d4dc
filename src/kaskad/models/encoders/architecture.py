"""What an encoder that others trained is like, read without its weights: plain values."""

import json
from pathlib import Path
from typing import Any

from kaskad.config.messages import ConfigurationError

CONFIG, FEATURES = "config.json", "preprocessor_config.json"
# The kinds that can be taken, by transformers' names for them.
KINDS = ("wav2vec2", "hubert", "wavlm", "wav2vec2-bert", "whisper")
OFTEN = "facebook/wav2vec2-base"


def read_architecture(pretrained: str, download: bool = False) -> dict[str, Any]:
    """The ``config`` of a pretrained encoder, and how its ``features`` are made.

    ``pretrained`` is a folder, or a name on the Hugging Face Hub, which is looked for among what
    was downloaded before unless ``download``. Raises ``ConfigurationError``.
    """
    config = _read(pretrained, CONFIG, download)
    if config is None:
        where = "no such folder, and nothing of this name was downloaded before"
        raise ConfigurationError(
            f"model.encoder.pretrained={pretrained}: {where}; give a folder with {CONFIG}, or a "
            f"name such as {OFTEN} with model.encoder.download=true"
        )
    kind = config.get("model_type")
    if kind not in KINDS:
        raise ConfigurationError(
            f"model.encoder.pretrained={pretrained}: is a {kind}; an encoder can be one of "
            f"{', '.join(KINDS)}"
        )
    return {
        "config": _plain(config),
        "features": _plain(_read(pretrained, FEATURES, download) or {}),
    }


def _read(pretrained: str, name: str, download: bool) -> dict[str, Any] | None:
    path = Path(pretrained, name)
    if not Path(pretrained).is_dir():
        found = _on_the_hub(pretrained, name, download)
        if found is None:
            return None
        path = found
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path}: cannot be read as JSON: {error}") from error
    if not isinstance(content, dict):
        raise ConfigurationError(f"{path}: holds no settings by name")
    return content


def _on_the_hub(name: str, file: str, download: bool) -> Path | None:
    from huggingface_hub import hf_hub_download  # of an extra
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, HFValidationError

    try:
        return Path(hf_hub_download(name, file, local_files_only=not download))
    except (EntryNotFoundError, HFValidationError):
        return None
    except (HfHubHTTPError, OSError) as error:
        what = str(error).partition("\n")[0]
        raise ConfigurationError(f"model.encoder.pretrained={name}: {what}") from error


def _plain(settings: dict[str, Any]) -> dict[str, Any]:
    """Without what names files or code: nothing but sizes and choices decide what is made."""
    left_out = ("auto_map", "architectures", "quantization_config", "transformers_version")
    return {
        key: value
        for key, value in settings.items()
        if key not in left_out and not key.startswith("_") and "name_or_path" not in key
    }
