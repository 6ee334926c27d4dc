"""A Toloka export, with all that is wrong in real ones, becomes a corpus; else a stand-in."""

import csv
import random
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from kaskad.corpora.crowd import toloka as module
from kaskad.corpora.crowd.answers import COLUMNS
from kaskad.corpora.crowd.toloka import read_toloka
from kaskad.corpora.table_files import read_table_file
from kaskad.corpora.text_files import ManifestError
from kaskad.data.corpus import Corpus
from kaskad.data.datamodule import DataError, SpeechDataModule

HEADER = [*COLUMNS.values()][:3]
TEXTS = ["раз два три", "четыре пять шесть", "семь восемь девять десять"]


@pytest.fixture(autouse=True)
def _say_it_again() -> None:
    module._warn_once.cache_clear()


@pytest.fixture
def corpus(tmp_path: Path, write_tone):
    """Make a corpus of ten recordings in train and ten in test, three answers each."""

    def make(*more: Sequence[str], header: Sequence[str] = HEADER) -> Path:
        for part in ("train", "test"):
            rows = []
            for index in range(10):
                write_tone(f"toloka/{part}/audio/{index}.wav", seconds=0.1)
                rows += [
                    (f"audio/{index}.wav", TEXTS[index % 3], worker, *[""] * (len(header) - 3))
                    for worker in ("anna", "boris", "vera")
                ]
            write_export(tmp_path / f"toloka/{part}/answers.tsv", [*rows, *more], header)
        return tmp_path / "toloka"

    return make


def write_export(path: Path, rows: Sequence[Sequence[str]], header: Sequence[str] = HEADER) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter="\t").writerows([header, *rows])
    return path


def review(root: Path) -> dict[str, str]:
    """What is for review of the test part, and why."""
    (table,) = root.glob("test-*/for_review.tsv")
    return dict(pl.read_csv(table, separator="\t").select("INPUT:audio", "problem").iter_rows())


def dropped(root: Path) -> list[str]:
    (table,) = root.glob("test-*/answers_dropped.csv")
    return read_table_file(table)["reason"].to_list()


def test_answers_become_transcripts_and_a_tenth_of_train_validates(corpus, tmp_path: Path) -> None:
    parts = {
        part: read_toloka(corpus(), part, cache=tmp_path)
        for part in ("train", "validation", "test")
    }
    assert {part: table.height for part, table in parts.items()} == {
        "train": 9,
        "validation": 1,
        "test": 10,
    }
    ids = pl.concat(table["id"] for table in parts.values())
    assert ids.n_unique() == 20
    row = parts["test"].row(by_predicate=pl.col("id") == "test/audio/1.wav", named=True)
    assert (row["text"], row["confidence"], row["problem"]) == (TEXTS[1], 1.0, None)
    assert Path(row["path"]).is_file()
    assert review(tmp_path) == {}


def test_a_tenth_of_the_speakers_validates_and_of_recordings_of_unknown_ones(
    corpus, tmp_path: Path, write_tone
) -> None:
    root = corpus()
    for n in range(19):
        write_tone(f"toloka/train/audio/unheard/{n}.wav", seconds=0.1)
    rows = [
        (f"audio/{n}.wav", TEXTS[n % 3], worker, f"speaker {n % 5}")
        for n in range(10)
        for worker in ("anna", "boris")
    ]
    write_export(root / "train/answers.tsv", rows, [*HEADER, "INPUT:speaker"])
    train, validation = (
        read_toloka(root, part, cache=tmp_path) for part in ("train", "validation")
    )
    assert validation["speaker"].to_list() == ["speaker 0", "speaker 0", None]
    assert train.height == 26
    assert "speaker 0" not in train["speaker"].to_list()


def test_a_ready_table_and_a_validation_folder_are_taken_as_they_are(
    corpus, tmp_path: Path, write_tone
) -> None:
    root = corpus()
    write_tone("toloka/validation/1.wav")
    (root / "validation/transcripts.csv").write_text("path,text\n1.wav,да\n", encoding="utf-8")
    row = read_toloka(root, "validation", cache=tmp_path).row(0, named=True)
    assert (row["id"], row["text"], row["language"]) == ("validation/1.wav", "да", "ru")
    assert read_toloka(root, "train", cache=tmp_path).height == 10


def test_a_table_beside_the_answers_is_not_passed_over(corpus, tmp_path: Path, caplog) -> None:
    root = corpus()
    (root / "test/manifest.csv").write_text("path,text\naudio/1.wav,да\n", encoding="utf-8")
    read_toloka(root, "test", cache=tmp_path)
    assert "/test: manifest.csv is not read, for answers.tsv there holds the answers" in caplog.text


@pytest.mark.parametrize("name", ["https://disk/pool/0%20a.wav?sign=x", "/pool/0 a.wav", "0 a.wav"])
def test_a_recording_is_found_by_url_path_or_name(
    corpus, tmp_path: Path, write_tone, name: str
) -> None:
    found = str(write_tone("toloka/test/deep/folder/0 a.wav", seconds=0.1))
    table = read_toloka(corpus((name, "да", "anna")), "test", cache=tmp_path)
    assert table.filter(pl.col("text") == "да")["path"].to_list() == [found]


def test_a_file_is_not_taken_for_another_recording_of_its_name(corpus, tmp_path: Path) -> None:
    rows = [(name, "да", "galina") for name in ("more/1.wav", "https://a/x/2.wav")]
    table = read_toloka(corpus(*rows), "test", cache=tmp_path)
    gone = table.filter(pl.col("text") == "да")["id"].to_list()
    assert sorted(gone) == ["test/more/1.wav", "test/x/2.wav"]


def test_a_name_cannot_lead_out_of_the_folder(corpus, tmp_path: Path, write_tone) -> None:
    write_tone("secret.wav")
    table = read_toloka(corpus(("../../secret.wav", "да", "anna")), "test", cache=tmp_path)
    assert table.filter(pl.col("text") == "да")["path"].item().endswith("/toloka/test/secret.wav")


def test_what_cannot_serve_is_set_aside_counted_and_named(
    corpus, tmp_path: Path, write_tone
) -> None:
    write_tone("toloka/test/audio/unheard.wav", seconds=0.1)
    write_tone("toloka/test/audio/disputed.wav", seconds=0.1)
    write_tone("toloka/test/audio/empty.wav", seconds=0.1)
    nonsense = [(f"audio/{n}.wav", "".join(random.Random(n).choices("qwz", k=9)), "bot")
                for n in range(10)]  # fmt: skip
    root = corpus(
        *nonsense,
        ("audio/disputed.wav", "один", "anna"),
        ("audio/disputed.wav", "два", "boris"),
        ("audio/disputed.wav", "три", "vera"),
        ("audio/empty.wav", "", "anna"),
        ("audio/gone.wav", "да", "anna"),
        ("", "да", "anna"),
        ("audio/3.wav", "слишком", "много", "столбцов"),
    )
    data = SpeechDataModule(
        {"test": Corpus("test", "ru", lambda split: read_toloka(root, split, cache=tmp_path))},
        16_000,
        max_skipped=0.3,
    )
    data.load("test")
    assert sorted(data.manifests["test"]["text"]) == sorted(TEXTS[n % 3] for n in range(10))
    skipped = dict(data.skipped.select("id", "reason").iter_rows())
    assert skipped.keys() == {
        f"test/audio/{n}.wav" for n in ("unheard", "disputed", "empty", "gone")
    }
    assert "gone.wav" in skipped["test/audio/gone.wav"]
    assert review(tmp_path).keys() == {f"audio/{n}.wav" for n in ("unheard", "disputed", "empty")}
    assert review(tmp_path)["audio/unheard.wav"] == "nobody has transcribed it"
    assert "less than min_confidence=0.5" in review(tmp_path)["audio/disputed.wav"]
    assert "none of its answers can be used" in review(tmp_path)["audio/empty.wav"]
    reasons = dropped(tmp_path)
    assert len(reasons) == 13
    assert sum("worker bot agrees" in reason for reason in reasons) == 10
    assert any("names no recording" in reason for reason in reasons)
    assert any("has 4 columns, not 3" in reason for reason in reasons)
    data.max_skipped = 0.2
    with pytest.raises(DataError, match="4 of 14 utterances cannot be used"):
        data.load("test")


def test_a_few_missing_files_cost_their_own_rows_alone(corpus, tmp_path: Path, write_tone) -> None:
    rows = []
    for index in range(100):
        if index % 33 or not index:
            write_tone(f"toloka/test/many/{index}.wav", seconds=0.1)
        rows.append((f"many/{index}.wav", "да", "anna"))
    root = corpus(*rows)
    data = SpeechDataModule(
        {"test": Corpus("test", "ru", lambda split: read_toloka(root, split, cache=tmp_path))},
        16_000,
    )
    data.load("test")
    assert data.manifests["test"].height == 107
    assert data.skipped["id"].to_list() == [f"test/many/{n}.wav" for n in (33, 66, 99)]


def test_the_corpus_is_only_read_and_aggregated_once(corpus, tmp_path: Path, monkeypatch) -> None:
    root = corpus()
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    first = read_toloka(root, "test", cache=tmp_path / "cache")
    monkeypatch.setattr(module, "aggregate", None)
    assert read_toloka(root, "test", cache=tmp_path / "cache").equals(first)
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before
    monkeypatch.undo()
    write_export(root / "test/answers.tsv", [("audio/1.wav", "новое", "anna")])
    changed = read_toloka(root, "test", cache=tmp_path / "cache")
    assert "новое" in changed["text"].to_list()


def test_a_broken_line_names_its_recording_and_nothing_else(tmp_path: Path, write_tone) -> None:
    for name in "ab":
        write_tone(f"test/{name}.wav", seconds=0.1)
    (tmp_path / "test/answers.tsv").write_text(
        "INPUT:audio\tOUTPUT:transcription\tGOLDEN:transcription\tINPUT:speaker\t"
        "ASSIGNMENT:worker_id\n"
        "a.wav\tодин\tдва\t\tгость\tw3\n"  # a raw tab
        "a.wav\tодин два\t\tгость\tw1\na.wav\tодин два\t\tгость\tw2\n"
        "b.wav\tда\nнет\t\tгость\tw1\n"  # a raw line break
    )
    table = read_toloka(tmp_path, "test", cache=tmp_path)
    assert table.select("id", "text", "speaker").rows() == [
        ("test/a.wav", "один два", "гость"),
        ("test/b.wav", None, None),
    ]
    assert review(tmp_path).keys() == {"b.wav"}
    (kept,) = tmp_path.glob("test-*")
    assert read_table_file(kept / "workers.csv")["worker"].sort().to_list() == ["w1", "w2"]
    lost = read_table_file(kept / "answers_dropped.csv").select("audio", "reason").rows()
    assert lost == [
        ("a.wav", "line 2 of answers.tsv has 6 columns, not 5"),
        ("b.wav", "line 5 of answers.tsv has 2 columns, not 5"),
        ("нет", "line 6 of answers.tsv has 4 columns, not 5"),
    ]


def test_several_exports_are_one_crowd(corpus, tmp_path: Path) -> None:
    root = corpus()
    write_export(root / "test/second_pool.tsv", [("audio/0.wav", TEXTS[0], "galina")])
    table = read_toloka(root, "test", cache=tmp_path)
    assert table.filter(pl.col("id") == "test/audio/0.wav")["answers"].item() == 4


def test_columns_may_have_other_names(corpus, tmp_path: Path) -> None:
    header = ["INPUT:audio", "OUTPUT:text", "performer"]
    names = {"text": "OUTPUT:text", "worker": "performer"}
    root = corpus(header=header)
    assert (
        read_toloka(root, "test", columns={**COLUMNS, **names}, cache=tmp_path)["answers"][0] == 3
    )
    nameless = {**COLUMNS, "text": "OUTPUT:text", "worker": None}
    assert read_toloka(root, "test", columns=nameless, cache=tmp_path)["answers"][0] == 3


def test_a_stand_in_is_made_said_loudly_and_the_same_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    size = {"train": 24, "test": 12}
    parts = {
        part: read_toloka(tmp_path / "none", part, cache=tmp_path / "one", utterances=size)
        for part in ("train", "validation", "test")
    }
    assert {part: table.height for part, table in parts.items()} == {
        "train": 21,
        "validation": 3,
        "test": 12,
    }
    assert caplog.text.count("SYNTHETIC STAND-IN") == 1
    assert all(table["note"].str.contains("SYNTHETIC").all() for table in parts.values())
    assert not set(parts["train"]["speaker"]) & set(parts["validation"]["speaker"])
    assert parts["test"]["confidence"].eq(1).all()  # every task of it is golden
    workers = read_table_file(next((tmp_path / "one").glob("train-*/workers.csv")))
    assert workers["worker"][0] == "worker-13"

    read_toloka(tmp_path / "none", "test", cache=tmp_path / "two", utterances=size)
    one, two = (
        {file.relative_to(made): file.read_bytes() for file in made.rglob("*") if file.is_file()}
        for made in (tmp_path / "one/stand_in", tmp_path / "two/stand_in")
    )
    assert len(one) == 38  # recordings and two exports
    assert one == two


def test_without_a_stand_in_it_says_how_to_bring_a_corpus(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no Toloka corpus .*data\.root=.*INPUT:audio"):
        read_toloka(tmp_path, "train", stand_in=False, cache=tmp_path)
    (tmp_path / "train").mkdir()
    with pytest.raises(FileNotFoundError, match=r"has no folder test; a corpus has the folders"):
        read_toloka(tmp_path, "test", cache=tmp_path)
    with pytest.raises(FileNotFoundError, match=r"no manifest at .*train"):
        read_toloka(tmp_path, "train", cache=tmp_path)
    with pytest.raises(ManifestError, match="unknown split 'dev'; known: train, validation, test"):
        read_toloka(tmp_path, "dev", cache=tmp_path)
