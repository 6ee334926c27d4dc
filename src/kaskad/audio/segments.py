"""A part of a recording, named by what follows its path: seconds, and a channel.

``call.wav#t=3.5,5.25`` are the seconds 3.5 to 5.25, ``call.wav#t=3.5,`` those from 3.5 on,
``call.wav#t=0,2&channel=1`` two seconds of the second channel, ``call.wav#channel=0`` all of the
first. The seconds are written as in "Media Fragments URI 1.0" (W3C, 4.2.1).
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import polars as pl

# What follows the path of a whole recording, in Python and in polars.
_SECONDS = r"-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[-+]?[0-9]{1,3})?"
FRAGMENT = rf"#(?:t={_SECONDS},(?:{_SECONDS})?(?:&channel=[0-9]{{1,9}})?|channel=[0-9]{{1,9}})$"
_PARTS = re.compile(rf"(?:t=({_SECONDS}),({_SECONDS})?)?&?(?:channel=([0-9]+))?")
# Seconds by which a segment may end after its recording: tables round, and so do codecs.
TOLERANCE = 0.05


@dataclass(frozen=True)
class Segment:
    """The seconds ``start`` to ``end`` (None: to the last) of ``file``, all of its channels
    averaged, or one ``channel`` of them, counted from 0."""

    file: str
    start: float = 0.0
    end: float | None = None
    channel: int | None = None

    @classmethod
    def at(cls, path: str | Path) -> Self:
        """What a path names: a segment, or a whole recording."""
        found = re.search(FRAGMENT, str(path))
        if found is None:
            return cls(str(path))
        named = _PARTS.fullmatch(found[0][1:])
        start, end, channel = named.groups() if named else (None, None, None)
        return cls(
            str(path)[: found.start()],
            float(start) if start else 0.0,
            float(end) if end else None,
            int(channel) if channel else None,
        )

    def __str__(self) -> str:
        """The path that names it, to a millisecond."""
        end = "" if self.end is None else f"{self.end:.3f}"
        is_part = self.start > 0 or self.end is not None
        seconds = [f"t={self.start:.3f},{end}"] if is_part else []
        side = [] if self.channel is None else [f"channel={self.channel}"]
        return "#".join([self.file, *filter(None, ["&".join(seconds + side)])])

    def samples(self, count: int, sample_rate: int) -> tuple[int, int]:
        """Return the first sample of the segment and the one after its last, of ``count`` in all.

        Raises ``ValueError`` where the recording has not these seconds.
        """
        seconds = count / sample_rate
        end = seconds if self.end is None else self.end
        if not 0 <= self.start < end:
            raise ValueError(f"begins at {self.start:g} s and ends at {end:g} s")
        if end > seconds + TOLERANCE:
            raise ValueError(f"ends at {end:g} s, and its recording lasts {seconds:.2f} s")
        return round(self.start * sample_rate), min(round(end * sample_rate), count)

    def require_channel(self, channels: int) -> None:
        """Raise ``ValueError`` where the recording has not this channel."""
        if self.channel is not None and self.channel >= channels:
            raise ValueError(f"is channel {self.channel}, and its recording has {channels}")


def name_segments(path: pl.Expr, start: pl.Expr, end: pl.Expr, channel: pl.Expr) -> pl.Expr:
    """Return paths that name segments; where all three are null, the paths as they are."""
    seconds = pl.when(start.is_not_null() | end.is_not_null()).then(
        pl.format("t={},{}", start.fill_null(0.0), pl.coalesce(end.cast(pl.String), pl.lit("")))
    )
    side = pl.format("channel={}", channel)
    fragment = pl.concat_str([seconds, side], separator="&", ignore_nulls=True)
    return pl.when(fragment == "").then(path).otherwise(pl.format("{}#{}", path, fragment))


def whole_recording(path: pl.Expr) -> pl.Expr:
    """Return the paths of the recordings in which segments lie."""
    return path.str.replace(FRAGMENT, "")
