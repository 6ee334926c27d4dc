"""A trained model in Python, ready to be used."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kaskad.models.pronunciation import PronunciationModel
from kaskad.models.recogniser import Recogniser, require_recogniser
from kaskad.runs.checkpoints import find_checkpoint
from kaskad.runs.trusted_parts import load_model


def load(path: str | Path, *, device: str = "cpu", trusted: Sequence[str] = ()) -> Any:
    """Load a model that is ready to be used; nothing of the file is executed.

    Args:
        path: A checkpoint, a run folder, or a folder of runs: the newest of them.
        device: Where it computes: cpu, cuda, cuda:1.
        trusted: Packages besides kaskad whose classes the checkpoint may use.

    Returns:
        A ``Recogniser``, ready to ``transcribe``; of a run of ``model=g2p`` a
        ``PronunciationModel``, ready to ``pronounce``.

    Raises:
        CheckpointError: If there is no such model; the message says why.
    """
    found = find_checkpoint(Path(path))
    model, _ = load_model(found, trusted=trusted)
    usable: Recogniser | PronunciationModel = (
        model if isinstance(model, PronunciationModel) else require_recogniser(model, found)
    )
    return usable.to(device)
