"""What a configuration may ask of the machine that it runs on, and of its own other parts."""

from omegaconf import DictConfig, OmegaConf

from kaskad.runs.which_run import run_folder, sweep_folder
from kaskad.sweeps.side_by_side import jobs_at_once


def cpu_precision() -> str:
    """bf16-mixed where the processor computes in bfloat16, 32-true where that would be slower."""
    import torch  # heavy, and only needed when a run begins

    capabilities = torch.cpu.get_capabilities()
    computes = capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")
    return "bf16-mixed" if computes else "32-true"


def branches(corpora: DictConfig) -> list[str]:
    """The branches that a cascade needs for these corpora, that of the role ``train`` first."""
    training = [c for role in ("train", "train_ext") for c in corpora.values() if c.role == role]
    return list(dict.fromkeys(c.get("branch") or c.language for c in training))


def either(value: object, otherwise: object) -> object:
    """The first of two, if it is anything."""
    return otherwise if value is None else value


def architecture(pretrained: str, download: bool = False) -> dict[str, object]:
    """What an encoder that others trained is like; see ``read_architecture``."""
    from kaskad.models.encoders.architecture import read_architecture  # heavy

    return read_architecture(pretrained, download)


OmegaConf.register_new_resolver("architecture", architecture, replace=True)
OmegaConf.register_new_resolver("or", either, replace=True)
OmegaConf.register_new_resolver("branches", branches, replace=True)
OmegaConf.register_new_resolver("cpu_precision", cpu_precision, replace=True)
OmegaConf.register_new_resolver("jobs_at_once", jobs_at_once, replace=True)
OmegaConf.register_new_resolver("run_folder", run_folder, replace=True)
# Kept, for the jobs of a sweep ask in other processes, on other machines.
OmegaConf.register_new_resolver("sweep_folder", sweep_folder, replace=True, use_cache=True)
