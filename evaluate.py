"""Test a checkpoint on a corpus: python evaluate.py checkpoint=runs/…/best.ckpt data=an4."""

from kaskad.cli.command import run

if __name__ == "__main__":
    run("evaluate")
