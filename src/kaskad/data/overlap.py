"""Whether a recogniser is tested on what it was trained on: looked at before training.

Training corpora are held against each corpus for validation or test. What they share is listed by
utterance, never by pair: in a small grammar, each transcript has thousands of counterparts.
"""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import polars as pl
from pytorch_lightning.utilities import rank_zero_only

from kaskad.audio.fingerprints import FINGERPRINT, fingerprints
from kaskad.data.checks import DataError, fault_of_recording
from kaskad.data.datamodule import SpeechDataModule
from kaskad.data.near_duplicates import find_copies
from kaskad.storage.tables import write_csv

log = logging.getLogger(__name__)

Policy = Literal["error", "drop", "warn", "report", "ignore"]
# What two utterances share, in words, and the columns in which it stands. Speakers and ids are
# names that a corpus gives; in another language, the same name is another's.
KINDS = {
    "recording": ("the same recording as", ["recording"]),
    "near_duplicate": ("a recording nearly the same as", ["near_duplicate"]),
    "id": ("the same id as", ["id", "language"]),
    "speaker": ("the same speaker as", ["speaker", "language"]),
    "transcript": ("the same transcript as", ["transcript"]),
}
LISTING = {
    "kind": pl.String,
    "policy": pl.String,
    "corpus": pl.String,
    "id": pl.String,
    "path": pl.String,
    "speaker": pl.String,
    "train_utterances": pl.UInt32,
    "train_corpus": pl.String,
    "train_id": pl.String,
    "train_path": pl.String,
    "similarity": pl.Float64,
}
NAMED = 3  # pairs in a message


@dataclass(frozen=True)
class Finding:
    """What a corpus shares with training in one way.

    ``listing`` has its utterances, each with the number of its counterparts in training and the
    first of them; ``training`` those counterparts, with ``corpus``, ``id`` and ``reason``.
    """

    kind: str
    policy: Policy
    corpus: str
    size: int
    listing: pl.DataFrame
    training: pl.DataFrame

    def __str__(self) -> str:
        pairs = self.listing.select("id", "train_id").head(NAMED).rows()
        named = "; ".join(f"{ours} and {theirs}" for ours, theirs in pairs)
        return (
            f"{self.listing.height} of {self.size} utterances of {self.corpus} have "
            f"{KINDS[self.kind][0]} {self.training.height} of training ({named}"
            f"{'; …' if self.listing.height > NAMED else ''})"
        )

    def summary(self) -> dict[str, Any]:
        """What the report says of it."""
        return {
            "kind": self.kind,
            "policy": self.policy,
            "corpus": self.corpus,
            "utterances": self.listing.height,
            "of": self.size,
            "train_utterances": self.training.height,
            "example": self.listing.row(0, named=True),
        }


@dataclass(frozen=True)
class OverlapCheck:
    """Finds what training shares with validation and test, each kind under a policy of its own.

    ``error`` stops the run, ``drop`` leaves the utterances out of training (never out of a test),
    ``warn`` says so on the console; these and ``report`` list it in overlap.csv and the report, and
    ``ignore`` does not look. Recordings whose ``similarity`` is at least this are near-duplicates.
    ``workers`` read audio (None: one a core), each file once: what tells recordings apart is kept
    beside the headers, in the folder ``cache`` of the data module.
    """

    recording: Policy = "error"
    near_duplicate: Policy = "drop"
    id: Policy = "warn"
    speaker: Policy = "warn"
    transcript: Policy = "report"
    similarity: float = 0.92
    workers: int | None = None

    def __call__(self, data: SpeechDataModule, folder: Path) -> dict[str, Any]:
        """Check what ``data`` has loaded, write overlap.csv into ``folder``, and act by policy.

        Returns what the report says. Raises ``DataError`` where a policy is ``error``, or where
        too little of training is left.
        """
        train = self._utterances(data, *data.loaded("train", "train_ext"))
        findings = [
            finding
            for name in data.loaded("validation", "test")
            for finding in self._compare(train, self._utterances(data, name), data.cache)
        ]
        if rank_zero_only.rank == 0:  # type: ignore[attr-defined]
            listing = pl.concat([pl.DataFrame(schema=LISTING), *(f.listing for f in findings)])
            write_csv(listing, folder / "overlap.csv")
        for finding in findings:
            if finding.policy == "warn":
                log.warning("overlap: %s; overlap.csv names them all", finding)
        _refuse([finding for finding in findings if finding.policy == "error"])
        _drop([finding for finding in findings if finding.policy == "drop"], data)
        return {
            "policies": {kind: self._policy(kind) for kind in KINDS},
            "found": [finding.summary() for finding in findings],
        }

    def _policy(self, kind: str) -> Policy:
        policy: Policy = getattr(self, kind)
        return policy

    def _utterances(self, data: SpeechDataModule, *names: str) -> pl.DataFrame:
        """What is compared of the corpora ``names``, one row an utterance."""
        tables = []
        for name in names:
            manifest = data.manifests[name]
            table = manifest.select(
                "id",
                "path",
                speaker=pl.col("speaker") if "speaker" in manifest.columns else None,
                corpus=pl.lit(name),
                language=pl.lit(data.corpora[name].language),
                transcript=pl.col("text") if data.target == "text" else None,
            ).cast({"speaker": pl.String, "transcript": pl.String})
            if self._policy("recording") != "ignore" or self._policy("near_duplicate") != "ignore":
                table = table.hstack(fingerprints(table["path"], data.cache, self.workers))
                table = _without_unreadable(table, name, data)
            else:
                table = table.with_columns(pl.lit(None, t).alias(c) for c, t in FINGERPRINT.items())
            tables.append(table)
        return pl.concat(tables)

    def _compare(
        self, train: pl.DataFrame, held: pl.DataFrame, cache: Path | None
    ) -> list[Finding]:
        findings = []
        names = [name for name, kept in train.schema.items() if not kept.is_nested()]
        for kind, (_, columns) in KINDS.items():
            policy = self._policy(kind)
            if policy == "ignore":
                continue
            trained, tested = train.select(*names), held.select(*names)
            if kind == "near_duplicate":
                copies = find_copies(train, held, self.similarity, cache, self.workers)
                trained = trained.join(copies, on="recording", maintain_order="left")
                tested = tested.with_columns(near_duplicate="recording")
            else:
                trained = trained.with_columns(similarity=pl.lit(None, pl.Float64))
            finding = _finding(kind, policy, trained, tested, columns)
            if finding.listing.height:
                findings.append(finding)
        return findings


def _without_unreadable(table: pl.DataFrame, name: str, data: SpeechDataModule) -> pl.DataFrame:
    """Set aside what has turned out to be unreadable, as each epoch would, and a prepared corpus
    does not have it either."""
    unread = table.filter(pl.col("recording").is_null()).select("id", "path")
    reasons = [fault_of_recording(path) for path in unread["path"]]
    unread = unread.with_columns(reason=pl.Series(reasons, dtype=pl.String)).drop_nulls("reason")
    if unread.is_empty():
        return table
    data.set_aside(name, unread.select("id", "reason"))
    return table.join(unread, on="id", how="anti", maintain_order="left")


def _finding(
    kind: str, policy: Policy, train: pl.DataFrame, held: pl.DataFrame, columns: list[str]
) -> Finding:
    """What ``train`` and ``held`` have in common in ``columns``, where nulls are like nothing."""
    common = train.join(held, on=columns, how="semi")
    counterparts = common.group_by(columns).agg(
        pl.len().cast(pl.UInt32).alias("train_utterances"),
        pl.col("corpus", "id", "path").first().name.prefix("train_"),
        pl.col("similarity").max(),
    )
    listing = held.join(counterparts, on=columns, maintain_order="left").with_columns(
        kind=pl.lit(kind), policy=pl.lit(policy)
    )
    first = held.select(pl.col("corpus", "id").name.prefix("held_"), *columns)
    first = first.unique(columns, keep="first", maintain_order=True)
    reason = pl.format("{}: {} {} of {}", "path", pl.lit(KINDS[kind][0]), "held_id", "held_corpus")
    training = common.join(first, on=columns, maintain_order="left").select(
        "corpus", "id", reason=reason
    )
    training = training.unique(["corpus", "id"], keep="first", maintain_order=True)
    return Finding(kind, policy, held["corpus"][0], held.height, listing.select(*LISTING), training)


def _refuse(findings: list[Finding]) -> None:
    if findings:
        kinds = dict.fromkeys(finding.kind for finding in findings)
        ways = [", ".join(f"overlap.{kind}={way}" for kind in kinds) for way in ("drop", "warn")]
        raise DataError(
            f"what is trained on is tested on, too: {', and '.join(map(str, findings))}\n"
            "overlap.csv in the folder of the run names them all; mend the corpora, or leave these "
            f"utterances out of training with {ways[0]}, or train all the same with {ways[1]}"
        )


def _drop(findings: list[Finding], data: SpeechDataModule) -> None:
    if findings:
        dropped = pl.concat([finding.training for finding in findings])
        dropped = dropped.unique(["corpus", "id"], keep="first", maintain_order=True)
        for (name,), reasons in dropped.group_by("corpus", maintain_order=True):
            data.set_aside(str(name), reasons)
