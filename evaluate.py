"""Test a checkpoint on a corpus: python evaluate.py checkpoint=runs/…/best.ckpt data=an4."""

from omegaconf import DictConfig

from kaskad.commands import command


@command("evaluate")
def main(config: DictConfig) -> dict[str, float]:
    from kaskad.evaluation import evaluate

    return evaluate(config)


if __name__ == "__main__":
    main()
