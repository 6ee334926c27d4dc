"""Make or convert a corpus into a manifest: python prepare.py data=fsdd output=fsdd.parquet.

Or see what a corpus holds, and what is suspicious in it: python prepare.py describe data=fsdd.
Or hear and see what augmentation does to it: python prepare.py preview data=fsdd.
Or pack it for network storage: python prepare.py shards data=fsdd output=packed/fsdd.
Or a language model: python prepare.py data=an4 language_model=words output=an4.arpa.
Or strip a cascade: python prepare.py prepare_for=ru checkpoint=runs/…/best.ckpt output=ru.ckpt.
"""

from omegaconf import DictConfig

from kaskad.cli.command import command


@command("prepare", actions=("prepare", "describe", "preview", "shards"))
def main(config: DictConfig) -> dict[str, float]:
    if config.action == "describe":
        from kaskad.commands.describe import describe

        return describe(config)
    if config.action == "preview":
        from kaskad.commands.preview import preview

        return preview(config)
    if config.action == "shards":
        from kaskad.commands.shard import shard

        return shard(config)
    from kaskad.commands.prepare import prepare

    return prepare(config)


if __name__ == "__main__":
    main()
