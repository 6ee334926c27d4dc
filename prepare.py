"""Make or convert a corpus into a manifest: python prepare.py data=fsdd output=fsdd.parquet.

Or a language model: python prepare.py data=an4 language_model=words output=an4.arpa.
Or strip a cascade: python prepare.py prepare_for=ru checkpoint=runs/…/best.ckpt output=ru.ckpt.
"""

from omegaconf import DictConfig

from kaskad.commands import command


@command("prepare")
def main(config: DictConfig) -> dict[str, float]:
    from kaskad.preparation import prepare

    return prepare(config)


if __name__ == "__main__":
    main()
