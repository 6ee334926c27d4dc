"""What a configuration may ask of the machine that it runs on."""

from omegaconf import OmegaConf


def cpu_precision() -> str:
    """bf16-mixed where the processor computes in bfloat16, 32-true where that would be slower."""
    import torch  # heavy, and only needed when a run begins

    capabilities = torch.cpu.get_capabilities()
    computes = capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")
    return "bf16-mixed" if computes else "32-true"


OmegaConf.register_new_resolver("cpu_precision", cpu_precision, replace=True)
