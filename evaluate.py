"""Test a checkpoint on a corpus: python evaluate.py checkpoint=runs/…/best.ckpt data=an4."""

import sys

from omegaconf import DictConfig

from kaskad.cli.command import command


@command("evaluate")
def main(config: DictConfig) -> dict[str, float]:
    from kaskad.commands.evaluate import evaluate_all

    return evaluate_all(config)


def one_by_one(arguments: list[str]) -> list[str]:
    """The same with ``data=[a,b]`` as ``corpora=[a,b]``: Hydra would merge the two into one."""
    is_named = any(argument.startswith("task=") for argument in arguments)
    changed = []
    for argument in arguments:
        if argument.startswith("data=["):
            changed += [] if is_named else ["task=evaluate_several"]
            argument = argument.replace("data", "corpora", 1)
        changed.append(argument)
    return changed


if __name__ == "__main__":
    sys.argv[1:] = one_by_one(sys.argv[1:])
    main()
