"""A cascade reduced to one of its languages: smaller, with the same hypotheses."""

from typing import Any

from kaskad.runs.checkpoints import CheckpointError, settings_of

# What holds a part for each language, by its name in a cascade's recogniser.
OF_ONE_LANGUAGE = (
    "encoder.front",
    "encoder.subnets",
    "encoder.embeddings",
    "encoder.entries",
    "encoder.exits",
    "head",
    "log_variances",
)


def strip(checkpoint: dict[str, Any], branch: str) -> dict[str, Any]:
    """Return what of a cascade's checkpoint is used by ``branch``, ready to be loaded.

    Its corpora are those of that branch; whichever trained it becomes the ``train`` corpus. What
    only resuming needs is left out. Raises ``CheckpointError`` if there is no such branch.
    """
    config = checkpoint["config"]
    encoder = config["model"].get("encoder")
    branches = encoder.get("branches", []) if isinstance(encoder, dict) else []
    if branch not in branches:
        known = f"only for {', '.join(branches)}" if branches else "for it is no cascade"
        raise CheckpointError(f"the checkpoint has no branch for '{branch}', {known}")
    others = [other for other in branches if other != branch]
    dropped = tuple(f"{part}.{other}." for part in OF_ONE_LANGUAGE for other in others)
    tied: dict[str, list[str]] = {"tied": []} if "tied" in encoder else {}
    corpora = {
        name: {**corpus, "role": "train" if corpus["role"] == "train_ext" else corpus["role"]}
        for name, corpus in settings_of(config, "data.corpora", "checkpoint", dict).items()
        if (corpus.get("branch") or corpus["language"]) == branch
    }
    return {
        "config": {
            **config,
            "model": {**config["model"], "encoder": {**encoder, "branches": [branch], **tied}},
            "data": {**config["data"], "corpora": corpora},
        },
        "state_dict": {
            name: weight
            for name, weight in checkpoint["state_dict"].items()
            if not f"{name}.".startswith(dropped)
        },
    }
