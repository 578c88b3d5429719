"""The study of translators: its BLEU equals sacrebleu's, its intervals and gains are correct, its stages fit together."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from sacrebleu.metrics.bleu import BLEU

from models.names import CellName, ContextName
from pipelines.data.prepared import read_texts
from pipelines.settings.params import Params, read_settings
from pipelines.stage import StageError
from pipelines.studies.translation import search, table, translate
from pipelines.studies.translation.found import Found, Run, best_attention, bundles, read_found
from pipelines.studies.translation.lines import by_length, line_of
from pipelines.studies.translation.scores import Statistics, bleu, bleu_interval, gain, statistics
from pipelines.studies.translation.settings import SETTINGS, Network, TranslationStudy
from serving.predictors.translation import Translator

RNG = np.random.default_rng(0)
WORDS = np.array(["a", "cat", "dog", "sat", "on", "the", "mat"])
REFERENCES = [" ".join(RNG.choice(WORDS, size)) for size in RNG.integers(4, 12, 60)]


def spoiled(share: float) -> list[str]:
    """The references with this share of their words replaced."""
    return [" ".join(w if RNG.random() > share else "bird" for w in reference.split()) for reference in REFERENCES]


def scored(*systems: list[str]) -> Statistics:
    return np.stack([statistics(hypotheses, REFERENCES) for hypotheses in systems])


def test_bleu_of_summed_statistics_equals_sacrebleus_mean_over_the_seeds() -> None:
    one, other = spoiled(0.2), ["", *spoiled(0.5)[1:]]
    expected = [BLEU().corpus_score(hypotheses, [REFERENCES]).score for hypotheses in (one, other)]
    assert expected[0] > expected[1] > 0
    assert bleu(scored(one)) == pytest.approx(expected[0])
    assert bleu(scored(one, other)) == pytest.approx(sum(expected) / 2)


def test_the_interval_equals_that_of_resampled_corpora() -> None:
    hypotheses, drawn = spoiled(0.3), []
    for _ in range(400):
        rows = RNG.integers(60, size=60)
        score = BLEU().corpus_score([hypotheses[i] for i in rows], [[REFERENCES[i] for i in rows]])
        drawn.append(score.score)
    found = bleu_interval(scored(hypotheses), 1000)
    assert found.low < found.mean < found.high
    low, high = np.percentile(drawn, [2.5, 97.5])
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.2 * (high - low))


def test_a_gain_is_paired() -> None:
    hypotheses = spoiled(0.3)
    assert gain(scored(hypotheses), scored(hypotheses), 50) == (0, 0, 0)  # unpaired, the bounds would differ
    better = [reference if i % 4 == 0 else h for i, (h, reference) in enumerate(zip(hypotheses, REFERENCES, strict=True))]
    found = gain(scored(better), scored(hypotheses), 300)
    assert 0 < found.low < found.mean < found.high


def found_of(valid_loss: float, hypotheses: list[str]) -> Found:
    return Found(runs=[Run(parameters=10, valid_loss=valid_loss, tokens_s=100.0, hypotheses=hypotheses)])


def test_the_gain_on_long_sources_is_over_the_same_cell() -> None:
    references = ["a b c d e", "f g h i", "k l m n"]
    answers = {
        Network("dot", "gru"): ["a b c d e", "bad", "worse"],
        Network("fixed", "gru"): ["a b c d x", "f g h i", "k l m n"],
        Network("fixed", "lstm"): ["nothing", "right", "here"],
    }
    lines = {network: line_of(found_of(1.0, given), references, 5) for network, given in answers.items()}
    figures = table.figures_of(lines, Network("dot", "gru"), np.array([True, False, False]), 5)
    by_hand = 100 - 100 * (4 / 5 * 3 / 4 * 2 / 3 * 1 / 2) ** (1 / 4)  # correct n-grams of "a b c d x"
    assert figures["attention_gain_long"] == pytest.approx(by_hand)
    assert figures["attention_gain_long_low"] == pytest.approx(by_hand)  # with one sentence, all resamples are the same
    assert figures["attention_bleu_long"] == pytest.approx(100)
    assert figures["bleu_fixed_gru"] == pytest.approx(BLEU().corpus_score(answers[Network("fixed", "gru")], [references]).score)


def test_the_best_attention_is_chosen_by_validation_among_teacher_forced_networks() -> None:
    losses: dict[tuple[ContextName, CellName], float] = {("fixed", "gru"): 1.0, ("dot", "lstm"): 2.0, ("concat", "lstm"): 1.9}
    found = {Network(attention, cell): found_of(loss, [""]) for (attention, cell), loss in losses.items()}
    found[Network("concat", "lstm", sampled=True)] = found_of(1.1, [""])
    assert best_attention(found) == Network("concat", "lstm")


def test_bleu_by_length_has_each_source_once_and_in_one_bin_is_the_corpus_bleu() -> None:
    network = Network("dot", "gru")
    lines = {network: line_of(found_of(1.0, spoiled(0.3)), REFERENCES, 5)}
    lengths = RNG.integers(1, 40, 60)
    (whole,) = by_length(lines, lengths, [40])
    assert whole["bleu"] == pytest.approx(lines[network].bleu.mean)
    bins = list(by_length(lines, lengths, [10, 25]))
    assert [row["sources"] for row in bins] == [
        (lengths <= 10).sum(),
        ((lengths > 10) & (lengths <= 25)).sum(),
        (lengths > 25).sum(),
    ]
    middle = lines[network].sentences[:, (lengths > 10) & (lengths <= 25)]
    assert bins[1]["bleu"] == pytest.approx(bleu(middle))


@pytest.mark.parametrize("item", ["gru", "dot", "dot-rnn", "dot-gru-forced", "gru-dot", "dot-gru-sampled-1"])
def test_a_network_that_is_none_is_refused(item: str) -> None:
    for name in ("fixed-lstm", "multihead-gru-sampled"):
        assert str(Network.parse(name)) == name
    with pytest.raises(StageError, match=item):
        Network.parse(item)


def test_the_settings_are_valid_for_every_attention(tmp_path: Path) -> None:
    assert max(read_settings(SETTINGS, TranslationStudy).beams) == 20
    wrong = tmp_path / "params.yaml"
    wrong.write_text(SETTINGS.read_text(encoding="utf-8").replace("encoder_size: 128", "encoder_size: 256"), encoding="utf-8")
    with pytest.raises(StageError, match=r"model\.hidden_size = 256: .*twice encoder_size"):
        read_settings(wrong, TranslationStudy)


def test_networks_differ_only_in_the_compared_settings(small_params: Params) -> None:
    settings = read_settings(SETTINGS, TranslationStudy)
    one, other = (
        translate.settings_of(small_params, settings, Network.parse(n)).model for n in ("fixed-gru", "dot-lstm-sampled")
    )
    differing = {key for key, value in one if value != getattr(other, key)}
    assert differing == {"attention", "cell", "teacher"}
    assert (one.teacher.kind, other.teacher) == ("constant", settings.sampling)


@pytest.fixture
def place(small_params: Params, prepared: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a small prepared task, where the stages use small networks."""
    content = read_settings(SETTINGS, TranslationStudy).model_dump()
    content["model"] |= {"embedding_size": 8, "encoder_size": 8, "hidden_size": 16, "attention_size": 8}
    content |= {"resamples": 20, "long": 3, "bins": [8], "beams": [1, 20], "heat_maps": 2}
    settings = TranslationStudy.model_validate(content)
    shutil.copytree(prepared["fr-en"], tmp_path / "data/prepared/fr-en")
    monkeypatch.chdir(tmp_path)
    for stage in (translate, search):
        monkeypatch.setattr(stage, "load_params", lambda: small_params)
    for module in (translate, search, table):
        monkeypatch.setattr(module, "read_settings", lambda *_: settings)
    return tmp_path


@pytest.mark.slow
def test_the_stages_write_tables_plots_and_figures(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded: dict[str, float] = {}
    monkeypatch.setattr(table, "record", lambda *arguments: recorded.update(arguments[-1]))
    items = ("fixed-gru", "dot-gru", "dot-gru-sampled")
    for item in items:
        translate.main(item)

    (run,) = read_found()[Network("dot", "gru")].runs
    test = read_texts(place / "data/prepared/fr-en", "test")
    served = Translator.load(bundles(Network("dot", "gru")) / "1").translate(test["source"])
    assert run.hypotheses == [best.text for (best,) in served]
    assert min(run.valid_loss, run.tokens_s, run.parameters) > 0

    table.main("translation")
    plots = place / "plots/studies/translation"
    assert [row["network"] for row in rows(plots / "networks/networks.csv")] == list(items)
    assert [row["network"] for row in rows(plots / "networks/sampling.csv")] == ["dot-gru-sampled"]
    assert {row["network"] for row in rows(plots / "networks/by_length.csv")} == set(items)
    assert json.loads((plots / "networks/best.json").read_text(encoding="utf-8")) == {"network": "dot-gru", **recorded}
    names = [item.replace("-", "_") for item in items]
    assert {f"{kind}_{name}" for kind in ("bleu", "tokens_s") for name in names} < set(recorded)
    assert recorded["attention_gain_long_low"] <= recorded["attention_gain_long_high"]

    search.main("translation")
    assert [row["beams"] for row in rows(plots / "search/beams.csv")] == ["1", "20"]
    pictures = {str(path.relative_to(plots)) for path in plots.rglob("*.png") if path.stat().st_size > 1000}
    drawn = {"networks/networks.png", "networks/by_length.png", "search/beams.png"}
    assert pictures == drawn | {f"search/attention/{i:02}.png" for i in (1, 2)}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
