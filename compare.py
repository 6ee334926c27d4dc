"""Models side by side on the test set that they share: python compare.py 'runs=[runs/a,runs/b]'."""

from omegaconf import DictConfig

from kaskad.cli.command import command


@command("compare")
def main(config: DictConfig) -> dict[str, float]:
    from kaskad.commands.compare import compare

    return compare(config)


if __name__ == "__main__":
    main()
