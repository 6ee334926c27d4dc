"""Train a recogniser: python train.py model=cnn2d_lstm data=numbers."""

from omegaconf import DictConfig

from kaskad.cli.command import command


@command("train")
def main(config: DictConfig) -> dict[str, float]:
    from kaskad.commands.train import train

    return train(config)


if __name__ == "__main__":
    main()
