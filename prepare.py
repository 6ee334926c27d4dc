"""Make or convert a corpus into a manifest: python prepare.py data=fsdd output=fsdd.parquet."""

from omegaconf import DictConfig

from kaskad.commands import command


@command("prepare")
def main(config: DictConfig) -> dict[str, float]:
    from kaskad.preparation import prepare

    return prepare(config)


if __name__ == "__main__":
    main()
