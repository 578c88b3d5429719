"""The counts of a predictor's work."""

from pathlib import Path

import pytest

from serving.predictor import load_predictor
from serving.telemetry.meter import Batch


class Fallible:
    """A meter that records batches and then fails."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []

    def batch(self, batch: Batch) -> None:
        self.batches.append(batch)
        raise RuntimeError("no more counting")


@pytest.mark.parametrize("kind", ["classification", "sentiment", "generation", "translation", "vectors"])
def test_a_failing_meter_does_not_affect_answers(kind: str, bundles: dict[str, Path]) -> None:
    bodies = [{"inputs": ["ab", "e\u0301e\u0301a"]} | ({"parameters": {"seed": 1}} if kind == "generation" else {}), {}]
    meter = Fallible()
    replies = load_predictor(bundles[kind], meter).answer(bodies)
    assert replies == load_predictor(bundles[kind]).answer(bodies)
    (batch,) = meter.batches
    assert batch.replies == {(200, ""): 1, (400, "missing_inputs"): 1}
    assert len(batch.texts) == 2
    assert all(text.length > 0 and text.unknown >= 0 and text.produced >= 0 for text in batch.texts)
    assert min(batch.read_s, batch.model_s, batch.write_s) >= 0


@pytest.mark.parametrize(
    ("kind", "text", "content"),
    [
        ("classification", " RICCI\u200b", "ricci"),
        ("sentiment", "A GOOD film\u2026", "a good film"),
        ("translation", "UN  CHIEN COURT DANS", "Un chien court dans"),
    ],
)
def test_the_content_is_the_text_as_the_model_reads_it(kind: str, text: str, content: str, bundles: dict[str, Path]) -> None:
    meter = Fallible()
    load_predictor(bundles[kind], meter).answer([{"inputs": text}])
    ((found,),) = (batch.texts for batch in meter.batches)
    assert found.content == content
    assert len(found.ids) == found.length


def test_probes_are_answered_but_not_counted(bundles: dict[str, Path]) -> None:
    meter = Fallible()
    predictor, body = load_predictor(bundles["classification"], meter), {"inputs": "ab"}
    among = predictor.answer([body, body, {}], probes={0, 2})
    assert among == load_predictor(bundles["classification"]).answer([body, body, {}])
    assert [(batch.replies, len(batch.texts)) for batch in meter.batches] == [({(200, ""): 1}, 1)]
    assert predictor.answer([body], probes={0}) == among[:1]
    assert len(meter.batches) == 1
