"""Report what a corpus holds and which rows are suspicious: kaskad describe data=…"""

import logging
from pathlib import Path

import polars as pl
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig
from rich.console import Console

from kaskad.audio.features import Features, Precomputed
from kaskad.audio.fingerprints import fingerprints
from kaskad.audio.levels import levels
from kaskad.audio.precomputed import Frames, read_signal, read_signal_header
from kaskad.data.anomalies import alphabet, suspicions
from kaskad.data.checks import DataError, check_audio, why_unreadable
from kaskad.data.corpus import Corpus
from kaskad.data.statistics import corpora, extremes, histogram, speakers
from kaskad.reports.corpus import show_description
from kaskad.reports.features_picture import draw_features
from kaskad.reports.html import render_description
from kaskad.reports.readable_json import to_json
from kaskad.runs.environment import environment
from kaskad.storage.tables import write_csv
from kaskad.text.genders import normalise_gender

log = logging.getLogger(__name__)

COLUMNS = ("corpus", "id", "path", "text", "language", "speaker", "gender", "duration", "written")


def describe(config: DictConfig) -> dict[str, float]:
    """Describe the corpora of ``config.data``: on the console, in description.json and
    description.html of the run folder, and every suspicious row in suspicious.csv.

    Returns how many ``utterances``, ``hours``, ``unusable`` and ``suspicious`` rows there are.
    """
    folder = Path(config.run_dir)
    cache = Path(config.cache) if config.cache is not None else None
    usable, rest = with_signals(*load(config, cache), cache)
    # What a test and a larger one have in common is one utterance.
    each = usable.unique(["id", "path"], keep="first", maintain_order=True)
    suspicious = pl.concat([rest, suspicions(each, cache)])
    write_csv(suspicious, folder / "suspicious.csv")
    sample = usable.row(0, named=True)
    features = features_for(sample["path"], instantiate(config.features).eval())
    description = {
        "title": config.title,
        "corpora": corpora(usable, rest),
        "speakers": speakers(each),
        "lengths": histogram(each["duration"].to_numpy()),
        "alphabet": alphabet(each),
        "longest": extremes(each, descending=True),
        "shortest": extremes(each, descending=False),
        "suspicious": suspicious,
        "sample": {**{name: sample[name] for name in COLUMNS}, "features": name_of(features)},
        "environment": environment(None),
    }
    (folder / "description.json").write_text(to_json(description), encoding="utf-8")
    picture = draw_features(see(sample["path"], features)).numpy()
    page = render_description(description, picture)
    (folder / "description.html").write_text(page, encoding="utf-8")
    show_description(description, Console())
    log.info("wrote %s, with the audio and features of a sample", folder / "description.html")
    return {
        "utterances": each.height,
        "hours": float(each["duration"].sum()) / 3600,
        "unusable": rest.height,
        "suspicious": suspicious.height - rest.height,
    }


def load(config: DictConfig, cache: Path | None) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The usable utterances of all corpora, and the others as suspicions of the kind unusable."""
    made: dict[str, Corpus] = instantiate(config.data.corpora, _convert_="all")
    if not made:
        raise DataError("data=none: there is nothing to describe; choose a corpus with data=…")
    usable, rest = [], []
    for name, corpus in made.items():
        manifest = corpus.load()
        good, bad = check_audio(
            manifest,
            min_seconds=config.min_seconds,
            max_seconds=config.max_seconds,
            cache=cache,
        )
        written = manifest.select("id", written="text")
        good = good.join(written, on="id", how="left", maintain_order="left")
        missing = [pl.lit(None, pl.String).alias(c) for c in COLUMNS if c not in good.columns]
        good = good.with_columns(missing).with_columns(
            pl.col("speaker").cast(pl.String),
            corpus=pl.lit(name),
            language=pl.lit(corpus.language),
            gender=normalise_gender(pl.col("gender")),
        )
        usable.append(good.select(*COLUMNS))
        rest.append(
            bad.select(pl.lit("unusable").alias("kind"), corpus=pl.lit(name), id="id", why="reason")
        )
    return pl.concat(usable), pl.concat(rest)


def with_signals(
    usable: pl.DataFrame, rest: pl.DataFrame, cache: Path | None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The usable utterances with their levels and fingerprints, without those whose headers alone
    are sound: these come to the rest. Raises ``DataError`` where none can be used."""
    paths = usable["path"]
    measured = usable.hstack(levels(paths, cache)).hstack(fingerprints(paths, cache))
    is_lost = pl.col("recording").is_null()
    lost = measured.filter(is_lost)
    reasons = [why_unreadable(path) for path in lost["path"]]
    lost = lost.select(pl.lit("unusable").alias("kind"), "corpus", "id", why=pl.Series(reasons))
    rest = pl.concat([rest, lost.cast(pl.String)])
    if lost.height == measured.height:
        reasons = [*rest["why"].head(3)] or ["its manifest is empty"]
        raise DataError(f"no utterance of this corpus can be used ({'; '.join(reasons)})")
    return measured.filter(~is_lost), rest


def features_for(path: str, features: Features) -> Features:
    """``features``, unless the corpus comes with its own."""
    if Frames.at(path) is None and not isinstance(features, Precomputed):
        return features
    header = read_signal_header(path)
    return Precomputed(header.sample_rate, header.channels)


def name_of(features: Features) -> str:
    return f"{type(features).__name__}, {features.bins} bins at {features.sample_rate} Hz"


@torch.inference_mode()
def see(path: str, features: Features) -> torch.Tensor:
    """What a model is shown of a recording: (frames, bins)."""
    signal = torch.from_numpy(read_signal(path, features.sample_rate))
    seen, _ = features(signal[None], torch.tensor([len(signal)]))
    return seen[0]
