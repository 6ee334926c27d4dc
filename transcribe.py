"""Put recordings into words: python transcribe.py checkpoint=… input=in.csv output=out.csv."""

from kaskad.cli.command import run

if __name__ == "__main__":
    run("transcribe")
