"""Train a recogniser: python train.py model=cnn2d_lstm data=numbers."""

from kaskad.cli.command import run

if __name__ == "__main__":
    run("train")
