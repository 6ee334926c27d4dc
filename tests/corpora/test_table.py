"""A folder and a table are a corpus: its parts are as named, or always the same ones."""

from pathlib import Path

import polars as pl
import pytest

from kaskad.corpora.table import read_table
from kaskad.corpora.text_files import ManifestError

PARTS = ("train", "validation", "test")
# Three utterances by each of twenty speakers.
SPOKEN = pl.DataFrame(
    [(f"{speaker:02}-{n}.wav", "yes", f"{speaker:02}") for speaker in range(20) for n in range(3)],
    schema=["path", "text", "speaker"],
    orient="row",
)
SPLIT = SPOKEN.with_columns(split=pl.Series(["train", "dev", "test"] * 20))


def parts(root: Path, **options) -> dict[str, set[str]]:
    """The ids of each part."""
    return {part: set(read_table(root, part, **options)["id"]) for part in PARTS}


@pytest.mark.parametrize("validation", ["validation", "val", "dev", "valid"])
def test_parts_are_those_that_the_table_names(tmp_path: Path, validation: str) -> None:
    named = SPLIT.with_columns(pl.col("split").replace({"dev": validation}))
    named.write_csv(tmp_path / "manifest.tsv", separator="\t")
    expected = {
        part: {f"{speaker:02}-{n}.wav" for speaker in range(20)} for n, part in enumerate(PARTS)
    }
    assert parts(tmp_path) == expected
    assert read_table(tmp_path / "manifest.tsv", "all").height == 60


@pytest.mark.parametrize(("by", "sizes"), [("speaker", [48, 6, 6]), ("utterance", [48, 6, 6])])
def test_a_table_without_parts_is_divided_the_same_way_whatever_its_order(
    tmp_path: Path, by: str, sizes: list[int]
) -> None:
    spoken = SPOKEN if by == "speaker" else SPOKEN.drop("speaker")
    divisions = []
    for name, rows in (("one.csv", spoken), ("two.csv", spoken.sample(fraction=1, shuffle=True))):
        rows.write_csv(tmp_path / name)
        divisions.append(parts(tmp_path / name))
    assert divisions[0] == divisions[1]
    assert [len(ids) for ids in divisions[0].values()] == sizes
    assert set.union(*divisions[0].values()) == set(SPOKEN["path"])
    if by == "speaker":
        speakers = [{name.split("-")[0] for name in ids} for ids in divisions[0].values()]
        assert sum(map(len, speakers)) == 20


@pytest.mark.parametrize(("speakers", "apart"), [(2, False), (3, True)])
def test_a_table_of_few_speakers_has_all_parts_too(
    tmp_path: Path, speakers: int, apart: bool
) -> None:
    SPOKEN.filter(pl.col("speaker").cast(pl.Int64) < speakers).write_csv(tmp_path / "few.csv")
    found = [{name.split("-")[0] for name in ids} for ids in parts(tmp_path / "few.csv").values()]
    assert all(found)
    assert (sum(map(len, found)) == speakers) == apart


def test_utterances_of_unknown_speakers_are_divided_one_by_one(tmp_path: Path) -> None:
    known = pl.col("speaker").cast(pl.Int64) < 10
    SPOKEN.with_columns(pl.when(known).then("speaker")).write_csv(tmp_path / "some.csv")
    found = parts(tmp_path / "some.csv")
    assert [len(ids) for ids in found.values()] == [24 + 24, 3 + 3, 3 + 3]
    speakers = [{name[:2] for name in ids if name < "10"} for ids in found.values()]
    assert sum(map(len, speakers)) == 10


def test_rows_of_no_part_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    splits = ["train", " Train ", "validated", "", "DEV", "test"]
    named = SPOKEN.head(6).with_columns(split=pl.Series(splits))
    named.write_csv(tmp_path / "manifest.csv")
    assert [len(ids) for ids in parts(tmp_path).values()] == [2, 1, 1]
    told = r"manifest.csv: 2 of 6 rows are in no part, for their split is 'validated', '' (first: "
    assert f"{told}00-2.wav)" in caplog.text
    assert read_table(tmp_path, "all").height == 6
    named.filter(pl.col("split").is_in(["validated", ""])).write_csv(tmp_path / "manifest.csv")
    with pytest.raises(ManifestError, match=r"2 of 2 rows .*; without that column the table would"):
        read_table(tmp_path, "train")


@pytest.mark.parametrize("spoken", [SPLIT, SPOKEN], ids=["with parts", "without parts"])
def test_a_speaker_left_out_is_the_whole_test(tmp_path: Path, spoken: pl.DataFrame) -> None:
    spoken.write_csv(tmp_path / "manifest.csv")
    before, after = parts(tmp_path), parts(tmp_path, leave_out="07")
    theirs = set(spoken.filter(pl.col("speaker") == "07")["path"])
    assert after["test"] == theirs
    assert after["train"] == before["train"] - theirs
    assert after["validation"] == (before["validation"] | before["test"]) - theirs


@pytest.mark.parametrize("spoken", [SPLIT, SPOKEN], ids=["with parts", "without parts"])
def test_validation_by_speaker_trains_on_everybody_else(
    tmp_path: Path, spoken: pl.DataFrame
) -> None:
    spoken.write_csv(tmp_path / "manifest.csv")
    of = {s: set(spoken.filter(pl.col("speaker") == s)["path"]) for s in ("03", "07")}
    everyone = set(spoken["path"])
    chosen = parts(tmp_path, leave_out="07", validate_on=["03"])
    assert (chosen["test"], chosen["validation"]) == (of["07"], of["03"])
    assert chosen["train"] == everyone - of["03"] - of["07"]
    assert parts(tmp_path, leave_out="07", validate_on="03") == chosen
    shared = parts(tmp_path, leave_out="07", validate_on=0.3)
    assert shared["test"] == of["07"]
    assert shared["train"] | shared["validation"] == everyone - of["07"]
    speakers = spoken.filter(pl.col("path").is_in(list(shared["validation"])))["speaker"].unique()
    assert set(spoken.filter(pl.col("speaker").is_in(speakers))["path"]) == shared["validation"]
    assert 0.2 < len(speakers) / (spoken["speaker"].n_unique() - 1) < 0.4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "train", "validate_on": "7"}, "no speaker '7' to validate on; speakers: 00"),
        ({"split": "train", "validate_on": 1.0}, "a share above 0 that leaves some of them"),
        (
            {"split": "train", "leave_out": "07", "validate_on": ["03", "07"]},
            "validate_on names 07, who is tested",
        ),
        ({"split": "tset"}, "unknown split 'tset'; known: train, validation, test, all"),
        (
            {"split": "test", "leave_out": "7"},
            r"manifest\.csv: no speaker '7' to leave out; speakers: 00, 01, ",
        ),
    ],
)
def test_a_part_that_is_not_there_is_refused(tmp_path: Path, options, message: str) -> None:
    SPOKEN.write_csv(tmp_path / "manifest.csv")
    with pytest.raises(ManifestError, match=message):
        read_table(tmp_path, **options)


def test_a_folder_without_a_manifest_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no manifest at .*manifest\.csv.*data\.root="):
        read_table(tmp_path, "train")
