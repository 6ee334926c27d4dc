"""Transcribe: python transcribe.py checkpoint=runs/…/best.ckpt input=in.csv output=out.csv."""

from omegaconf import DictConfig

from kaskad.commands import command


@command("transcribe")
def main(config: DictConfig) -> dict[str, float]:
    from kaskad.transcription import transcribe

    return transcribe(config)


if __name__ == "__main__":
    main()
