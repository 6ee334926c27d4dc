"""Tune a decoder on validation: python tune_decoder.py checkpoint=… decoder.language_model=…."""

from omegaconf import DictConfig

from kaskad.cli.command import command


@command("tune_decoder")
def main(config: DictConfig) -> dict[str, float]:
    from kaskad.commands.tune_decoder import tune

    return tune(config)


if __name__ == "__main__":
    main()
