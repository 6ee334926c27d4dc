"""Transcribe: python transcribe.py checkpoint=runs/…/best.ckpt input=in.csv output=out.csv."""

from omegaconf import DictConfig

from kaskad.cli.command import command


@command("transcribe")
def main(config: DictConfig) -> dict[str, float]:
    from kaskad.commands.transcribe import transcribe

    return transcribe(config)


if __name__ == "__main__":
    main()
