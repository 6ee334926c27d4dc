"""Damages files at random and reads them: python tests/fuzz.py [seconds] [seed].

Checkpoints, audio, arrays, tables and caches must be read, or refused with the error that is meant
for it; anything else (another error, a crash, more than ten seconds) is reported with the file that
did it.
"""

import os
import random
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import polars as pl
import torch
from hydra.utils import instantiate

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from kaskad.audio.cache import remembered
from kaskad.audio.files import AudioError
from kaskad.audio.precomputed import Frames
from kaskad.audio.reading import read_audio, read_header
from kaskad.corpora.manifest import read_manifest
from kaskad.corpora.text_files import ManifestError
from kaskad.runs.checkpoints import CheckpointError
from kaskad.runs.trusted_parts import load_model
from kaskad.storage.tables import write_parquet
from tests.broken_recordings import FLAC, MP3, OGG, OPUS, SPHERE, WAV, encoded, without_xing
from tests.media_files import KINDS, encoded_by_ffmpeg

LONGEST = 10  # seconds that a file may take
CASES_A_PROCESS = 200  # a crash costs these, and no more
MODEL = {
    "_target_": "kaskad.models.CTCRecogniser",
    "features": {"_target_": "kaskad.audio.LogMel", "bins": 8},
    "tokenizer": {"_target_": "kaskad.text.CharacterTokenizer", "alphabet": ["a", "b"]},
    "decoder": {"_target_": "kaskad.decoding.GreedyDecoder", "_partial_": True},
    "encoder": {
        "_target_": "kaskad.models.RecurrentEncoder",
        "input_size": 8,
        "hidden_size": 4,
        "layers": 1,
    },
}
Reader = Callable[[Path], object]


def main(seconds: float = 60.0, seed: int = 0) -> int:
    """Fuzz for so long; returns how many files made trouble."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    if os.fork() == 0:  # threads of polars in this process would stop those that it forks
        write_seeds(folder)
        os._exit(0)
    os.wait()
    seeds = read_seeds(folder)
    until, batch, troubles = time.monotonic() + seconds, 0, 0
    while time.monotonic() < until:
        process = os.fork()
        if process == 0:
            os._exit(run_batch(seeds, folder, random.Random(f"{seed}/{batch}"), until))
        code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        if code != 0:
            troubles += 1
            kept = shutil.move(folder / "case", folder / f"trouble-{seed}-{batch}")
            message = (folder / "error").read_text() if (folder / "error").exists() else ""
            how = f"signal {-code}: it crashed, or took {LONGEST} s" if code < 0 else "an error"
            print(f"{kept}: {how} {message}", file=sys.stderr)
        batch += 1
    print(f"{batch} times up to {CASES_A_PROCESS} files, seed {seed}: {troubles} made trouble")
    if not troubles:
        shutil.rmtree(folder)
    return troubles


def write_seeds(folder: Path) -> None:
    weights = instantiate(MODEL).state_dict()
    torch.save({"config": {"model": MODEL}, "state_dict": weights}, folder / "seed.ckpt")
    np.save(folder / "seed.npy", np.ones((20, 4), np.float32))
    cache = pl.DataFrame({"path": ["a", "b"], "size": [1, 2], "length": [0.5, None]})
    write_parquet(cache, folder / "seed.parquet")
    rows = pl.DataFrame({"path": [f"{n}.wav" for n in range(100)], "text": ["один"] * 100})
    for compression in ("zstd", "snappy", "uncompressed"):
        rows.write_parquet(folder / f"{compression}.parquet", compression=compression)
    inside = pl.DataFrame({"audio": [{"bytes": b"RIFF", "path": "a"}], "text": ["один"]})
    inside.write_parquet(folder / "inside.parquet")


def read_seeds(folder: Path) -> list[tuple[bytes, str, Reader]]:
    """Sound files, their suffix, and what reads them."""
    audio = [(WAV, ".wav"), (FLAC, ".flac"), (OGG, ".ogg"), (OPUS, ".opus"), (MP3, ".mp3")]
    audio += [(SPHERE, ".sph"), (without_xing(MP3), ".mp3"), (OPUS + OPUS, ".opus")]
    audio += [(encoded(kind), f".{kind.lower()}") for kind in ("AIFF", "AU", "CAF", "W64", "RF64")]
    audio += [(encoded("WAV", subtype), ".wav") for subtype in ("IMA_ADPCM", "ULAW", "FLOAT")]
    audio += [(encoded_by_ffmpeg(*how), suffix) for suffix, *how in KINDS.values()]
    others = {"seed.ckpt": load_model, "seed.npy": read_frames, "seed.parquet": open_cache}
    tables = ("zstd.parquet", "snappy.parquet", "uncompressed.parquet", "inside.parquet")
    others |= dict.fromkeys(tables, read_rows)
    return [
        *((content, suffix, read_whole) for content, suffix in audio),
        *((Path(folder, name).read_bytes(), Path(name).suffix, r) for name, r in others.items()),
    ]


def read_frames(path: Path) -> None:
    frames = Frames.at(path)
    assert frames is not None
    frames.read()


def read_rows(path: Path) -> None:
    unpacked = path.with_name("unpacked")
    shutil.rmtree(unpacked, ignore_errors=True)
    with suppress(ManifestError):
        read_manifest(path, unpacked=unpacked)


def read_whole(path: Path) -> None:
    read_header(path)
    read_audio(path, 16_000)


def open_cache(path: Path) -> None:
    wanted = pl.DataFrame({"path": ["a", "b"], "size": [1, 2]})
    measures = {"length": pl.Float64}
    found = remembered(
        wanted, measures, lambda rows: pl.DataFrame({"length": [1.0] * len(rows)}), path
    )
    assert found.columns == ["length"] and found.height == 2


def run_batch(
    seeds: list[tuple[bytes, str, Reader]], folder: Path, chance: random.Random, until: float
) -> int:
    warnings.simplefilter("ignore")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # decoders say much of what they meet
    torch.set_num_threads(1)
    for _ in range(CASES_A_PROCESS):
        if time.monotonic() > until:
            return 0
        # As often of audio as of all else.
        of_audio = chance.random() < 0.5
        content, suffix, read = chance.choice(
            [s for s in seeds if (s[2] is read_whole) == of_audio]
        )
        path = folder / f"damaged{suffix}"
        path.unlink(missing_ok=True)
        path.write_bytes(damage(content, chance))
        shutil.copyfile(path, folder / "case")
        signal.alarm(LONGEST)
        try:
            read(path)
        except (AudioError, CheckpointError):
            pass
        except BaseException as error:
            (folder / "error").write_text(f"{suffix}: {type(error).__name__}: {error}")
            return 1
        finally:
            signal.alarm(0)
    return 0


def damage(content: bytes, chance: random.Random) -> bytes:
    """The file after one to four accidents, most of them in its head."""
    changed = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        most = len(changed) if chance.random() < 0.5 else min(len(changed), 256)
        place = chance.randrange(max(most, 1))
        width = chance.choice([1, 1, 2, 4, 8, 64])
        match chance.randrange(6):
            case 0:
                changed[place : place + width] = chance.randbytes(width)
            case 1:
                changed[place : place + width] = chance.choice([b"\0", b"\xff", b"\x7f"]) * width
            case 2:
                del changed[place:]
            case 3:
                del changed[place : place + width]
            case 4:
                changed[place:place] = chance.randbytes(width)
            case _:
                changed += changed[place:]
    return bytes(changed)


if __name__ == "__main__":
    sys.exit(
        main(*(kind(text) for kind, text in zip((float, int), sys.argv[1:], strict=False))) > 0
    )
