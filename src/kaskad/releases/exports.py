"""Exports that go along with a release, and what each must decode the test utterances to."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kaskad.models.ctc import CTCRecogniser
from kaskad.models.recogniser import Recogniser
from kaskad.releases import utterances
from kaskad.runs.released import ReleaseError

FOLDER = "exports"


def write_exports(
    recogniser: Recogniser, forms: Sequence[str], signals: Sequence[np.ndarray], folder: Path
) -> dict[str, Any]:
    """Write a recogniser in each of these forms below ``folder``; returns what each is like.

    Beside a graph of samples its hypotheses for ``signals`` are written. Raises ``ExportError``.
    """
    from kaskad.export.formats import export  # of an extra

    written = {}
    for form in forms:
        place = folder / form
        written[form] = export(recogniser, form, place)
        if _hears_samples(place, written[form]):
            decoded = _decoded(place, str(written[form]["graph"]), recogniser, signals)
            utterances.write_expected([{} for _ in signals], decoded, place)
    return written


def verify_exports(
    recogniser: Recogniser, signals: Sequence[np.ndarray], folder: Path
) -> list[str]:
    """Verify the hypotheses of each export below ``folder``; returns their forms.

    Raises ``ReleaseError``.
    """
    verified = []
    for file in sorted(folder.glob(f"*/{utterances.EXPECTED}")):
        from kaskad.export.onnx_file import external_file  # of an extra

        place, expected = file.parent, utterances.read_expected(file.parent)
        graphs = sorted(place.glob("*.onnx"))
        if not graphs or len(expected) != len(signals):
            raise ReleaseError(f"{place}: holds no graph, or not what it is to decode")
        # That of fewer bits is what is shipped, where there are two.
        graph = min(graphs, key=lambda each: each.stat().st_size)
        try:
            for each in graphs:
                if outside := external_file(each):
                    raise ReleaseError(f"{each}: has weights in {outside}, which no release has")
            decoded = _decoded(place, graph.name, recogniser, signals)
        except ReleaseError:
            raise
        except Exception as error:  # readers of graphs raise errors of their own kinds
            what = str(error).partition("\n")[0]
            raise ReleaseError(f"{graph}: cannot be run: {what}") from None
        utterances.compare(decoded, expected, str(place))
        verified.append(place.name)
    return verified


def _hears_samples(place: Path, facts: dict[str, Any]) -> bool:
    return "inputs" in facts and (place / str(facts["graph"])).suffix == ".onnx"


def _decoded(
    place: Path, graph: str, recogniser: Recogniser, signals: Sequence[np.ndarray]
) -> list[utterances.Decoded]:
    from kaskad.export.decoding import decoding_through, open_graph  # of an extra

    if not isinstance(recogniser, CTCRecogniser):
        raise ReleaseError(f"{place}: an export of what is no recogniser with CTC")
    decoding = decoding_through(open_graph(place / graph), recogniser)
    return utterances.transcriber(decoding)(signals)
