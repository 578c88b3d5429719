"""The study's sequences are as specified, and its networks are trained, counted and measured as specified."""

import json
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import pytest
import shipped
import torch
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from models.generation.language_model import LanguageModel
from models.names import CellName
from models.text.characters import CharacterTokenizer
from pipelines.kinds.parts import build
from pipelines.paths import METRICS
from pipelines.report.record import RESULTS
from pipelines.settings.params import Params, read_settings
from pipelines.stage import StageError
from pipelines.studies.gradients import memory, norms, states
from pipelines.studies.gradients.figures import draw_curves, draw_norms, draw_shares
from pipelines.studies.gradients.memory import Outcome, Run, solve, solve_all, summarize
from pipelines.studies.gradients.settings import CELLS, FILE, GradientsStudy, load_settings
from pipelines.studies.gradients.tasks import Adding, Copying, make_tasks
from pipelines.studies.gradients.training import Clipping, new_model, stream, train

ROOT = Path(__file__).parents[3]

lengths = st.integers(4, 30)
seeds = st.integers(0, 1000)


@pytest.fixture
def settings() -> GradientsStudy:
    """Small settings."""
    content = load_settings().model_dump()
    content["processes"] = 1
    content["train"] |= {"hidden_size": 16, "learning_rates": dict.fromkeys(CELLS, 0.01)}
    content["memory"] |= {"seeds": [1], "lengths": [5, 6], "steps": 400, "check_every": 20, "held_out": 200}
    content["norms"] |= {"length": 12, "steps": 25, "window": 10, "sequences": 8}
    content["states"]["units"] = 6
    return GradientsStudy.model_validate(content)


def test_its_settings_are_checked_like_those_of_the_pipeline(tmp_path: Path) -> None:
    assert len(load_settings().memory.seeds) == 5
    wrong = tmp_path / "params.yaml"
    wrong.write_text(FILE.read_text(encoding="utf-8").replace("held_out:", "heldout:"), encoding="utf-8")
    with pytest.raises(StageError, match=r"unknown key 'memory\.heldout'; did you mean 'held_out'"):
        read_settings(wrong, GradientsStudy)


@given(lengths, seeds)
def test_adding_marks_a_number_of_each_half(length: int, seed: int) -> None:
    x, targets = Adding(0.01).draw(16, length, stream(seed, "training"))
    numbers, marks = x.unbind(2)
    assert x.shape == (16, length, 2)
    assert 0 <= numbers.min() <= numbers.max() < 1
    assert set(torch.unique(marks).tolist()) == {0.0, 1.0}
    half = length // 2
    assert marks[:, :half].sum(1).tolist() == marks[:, half:].sum(1).tolist() == [1.0] * 16
    torch.testing.assert_close(targets, (numbers * marks).sum(1))


def test_without_memory_the_error_of_adding_is_one_sixth() -> None:
    task = Adding(0.01)
    _, targets = task.draw(20_000, 10, stream(0, "training"))
    assert task.score(torch.ones(20_000, 1), targets) == pytest.approx(task.chance, rel=0.03)
    assert task.score(targets[:, None], targets) == 0
    assert (task.solved(0.0099), task.solved(0.01)) == (True, False)


@given(lengths, seeds, st.integers(2, 8), st.integers(1, 8))
def test_only_the_first_symbol_of_copying_is_not_a_distractor(length: int, seed: int, symbols: int, distractors: int) -> None:
    task = Copying(symbols, distractors, 0.99)
    x, targets = task.draw(16, length, stream(seed, "training"))
    assert x.shape == (16, length, task.inputs)
    assert bool((x.sum(2) == 1).all())
    assert torch.equal(x[:, 0, :symbols].argmax(1), targets)
    assert not x[:, 0, symbols:].any()
    assert not x[:, 1:, :symbols].any()


def test_without_memory_the_accuracy_of_copying_is_chance() -> None:
    task = Copying(8, 8, 0.99)
    _, targets = task.draw(20_000, 4, stream(0, "training"))
    answers = torch.zeros(20_000, 8)
    answers[:, 3] = 1.0
    assert task.score(answers, targets) == pytest.approx(task.chance, rel=0.1)
    assert task.score(torch.eye(8)[targets], targets) == 1
    assert (task.solved(0.99), task.solved(0.9899)) == (True, False)


def test_no_two_streams_are_alike() -> None:
    draws = [torch.rand(4, generator=stream(seed, name)).tolist() for seed in range(5) for name in ("training", "held out")]
    assert len({tuple(draw) for draw in draws}) == 10


def test_chrono_initialization_applies_to_gated_cells_only(settings: GradientsStudy) -> None:
    task = make_tasks(settings.tasks)["adding"]
    expected: dict[CellName, bool] = {"rnn": True, "lstm": False, "gru": False}
    for cell, same in expected.items():
        plain, chrono = (new_model(cell, task, 8, 1, remember=steps).state_dict() for steps in (None, 100))
        assert all(torch.equal(plain[name], chrono[name]) for name in plain) == same


def test_training_is_reproducible_and_norms_are_before_clipping(settings: GradientsStudy) -> None:
    task = make_tasks(settings.tasks)["adding"]
    curves = {}
    clippings: list[Clipping] = ["none", "norm", "value", "value"]
    for attempt, clipping in enumerate(clippings):
        model = new_model("gru", task, 16, 1, remember=10)
        curves[attempt] = list(islice(train(model, task, 10, settings.train, 1, clipping), 30))
    assert curves[2] == curves[3]
    assert curves[0][0] == curves[1][0] == curves[2][0]  # the first loss is computed before any clipping
    assert [step.number for step in curves[0]] == list(range(1, 31))


def test_a_solved_task_ends_the_training(settings: GradientsStudy) -> None:
    outcome = solve(Run(task="copy", cell="gru", length=5, seed=1), settings)
    assert outcome.solved
    assert outcome.score >= 0.99
    assert outcome.steps < settings.memory.steps
    assert outcome.steps % settings.memory.check_every == 0


def test_an_unsolved_task_ends_after_the_maximum_number_of_steps(settings: GradientsStudy) -> None:
    hard = settings.model_copy(update={"tasks": settings.tasks.model_copy(update={"adding_error": 1e-9})})
    outcome = solve(Run(task="adding", cell="rnn", length=6, seed=1), hard)
    assert (outcome.solved, outcome.steps) == (False, settings.memory.steps)


def test_a_finished_run_is_not_run_again(settings: GradientsStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [Run(task="copy", cell=cell, length=5, seed=1) for cell in ("gru", "lstm")]
    (first,) = solve_all(runs[:1], settings, tmp_path)
    asked: list[Run] = []

    def counted(run: Run, settings: GradientsStudy) -> Outcome:
        asked.append(run)
        return solve(run, settings)

    monkeypatch.setattr(memory, "solve", counted)
    again = solve_all(runs, settings, tmp_path)
    assert asked == runs[1:]
    assert again[0] == first


def outcome(cell: CellName, seed: int, solved: bool, steps: int = 100) -> Outcome:
    return Outcome(task="copy", cell=cell, length=50, seed=seed, solved=solved, steps=steps, score=0.5)


def test_shares_are_over_the_seeds() -> None:
    rows = summarize([outcome("gru", 2, True, 300), outcome("rnn", 1, False), outcome("gru", 1, True), outcome("rnn", 2, False)])
    assert [(row["cell"], row["solved"], row["steps"], row["seeds"]) for row in rows] == [("rnn", 0, "", 2), ("gru", 1, 200, 2)]


def test_the_stage_memory_counts_every_network(settings: GradientsStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "UNFINISHED", tmp_path)
    brief = settings.model_copy(update={"memory": settings.memory.model_copy(update={"steps": 20})})
    report = memory.find(brief)
    keys = {f"{task}{length}_solved_{cell}" for task in ("adding", "copy") for length in (5, 6) for cell in CELLS}
    assert set(report.metrics) == keys | {"seeds"}
    assert len(report.tables["runs.csv"]) == len(keys)


@pytest.mark.parametrize("cell", CELLS)
def test_at_distance_0_the_gradient_is_the_readouts(settings: GradientsStudy, cell: CellName) -> None:
    task = make_tasks(settings.tasks)["adding"]
    model = new_model(cell, task, 16, 1, remember=12)
    x, targets = task.draw(8, 12, stream(1, "held out"))
    found = norms.norms_by_distance(model, task, x, targets)
    errors = 2 * (model(x)[:, 0] - targets).abs().mean()
    assert found["h"][0] == pytest.approx(float((errors * model.output.weight.norm()).detach()), rel=1e-5)
    assert set(found) == ({"h", "C"} if cell == "lstm" else {"h"})
    assert all(len(values) == 12 and min(values) > 0 for values in found.values())
    assert next(model.parameters()).dtype == torch.float32


def test_the_stage_norms_measures_before_and_after_training(settings: GradientsStudy) -> None:
    report = norms.find(settings)
    seen = {(row["subject"], row["condition"]) for row in report.tables["norms.csv"]}
    assert seen >= {(cell, condition) for cell in CELLS for condition in ("torch", "none", "norm", "value")}
    assert {subject for subject, condition in seen if condition == "chrono"} == {"lstm", "gru"}
    assert [row["step"] for row in report.tables["curves.csv"]][:3] == [10, 20, 25]
    ratio = {name: float(report.metrics[f"gradient_ratio_{name}"]) for name in ("lstm", "lstm_chrono", "rnn", "exploding")}
    assert ratio["lstm"] < ratio["lstm_chrono"]
    assert ratio["rnn"] < 0.1
    assert ratio["rnn"] < ratio["exploding"]
    assert report.metrics["finite_steps_exploding_norm"] == 25


def test_a_diverged_network_has_no_norms(settings: GradientsStudy) -> None:
    wild = settings.norms.exploding.model_copy(update={"learning_rate": 1e9})
    curve, found = norms.train_and_look(
        "exploding", "none", settings.model_copy(update={"norms": settings.norms.model_copy(update={"exploding": wild})})
    )
    assert len(curve) < settings.norms.steps
    assert found == {}


def drawn_labels(figure: Figure) -> Sequence[str]:
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def test_figures_label_every_line() -> None:
    looked = [
        {"subject": cell, "state": state, "condition": condition, "distance": t, "log10_norm": -float(t)}
        for cell, kinds in (("rnn", "h"), ("lstm", "hC"), ("gru", "h"))
        for state in kinds
        for condition in ("torch", "chrono", "none", "norm", "value")
        for t in range(3)
    ]
    assert len(drawn_labels(draw_norms(looked))) == 7
    curves = [
        {"subject": cell, "clipping": clipping, "step": step, "loss": 1.0, "largest_norm": 2.0}
        for cell in CELLS
        for clipping in ("none", "norm", "value")
        for step in (10, 20)
    ]
    figure = draw_curves([row for row in curves if row["subject"] != "gru" or row["clipping"] != "none" or row["step"] == 10])
    assert len(drawn_labels(figure)) == 3
    diverged = [[text.get_text() for text in axes.texts] for axes in figure.axes]
    assert diverged == [[]] * 4 + [["infinite after 10 steps"]] * 2
    figure = draw_shares(summarize([outcome(cell, seed, cell == "gru") for cell in CELLS for seed in (1, 2)]))
    assert drawn_labels(figure) == ["vanilla RNN", "LSTM", "GRU"]
    assert [text.get_text() for text in figure.axes[0].texts] == ["0/2", "0/2", "2/2"]


@pytest.fixture(scope="module")
def model(small_params: Params, prepared: dict[str, Path]) -> LanguageModel:
    torch.manual_seed(0)
    model = build(shipped.names(small_params), prepared["names"])
    assert isinstance(model, LanguageModel)
    return model.eval()


def test_hidden_states_are_the_models(model: LanguageModel) -> None:
    ids = torch.tensor([[2, 5, 6, 7, 8]])
    expected, _ = model._states(ids, torch.tensor([5]), torch.tensor([1]), None)
    torch.testing.assert_close(states.hidden_states(model, ids[0].tolist(), 1), expected[0])


def test_varying_units_are_ordered_by_their_peaks() -> None:
    still, late, early = torch.zeros(4), torch.tensor([0.0, 0.0, 0.1, 2.0]), torch.tensor([0.8, -0.5, 0.0, 0.0])
    assert states.choose_units({"name": torch.stack((still, late, early), 1)}, 2) == [2, 1]


def test_states_are_tabulated_and_drawn(settings: GradientsStudy, model: LanguageModel, prepared: dict[str, Path]) -> None:
    known = "".join(CharacterTokenizer.load(prepared["names"] / "tokenizer.json").characters)
    names = {known[:5]: "Italian", known[3:9]: "German"}
    found = states.read_states(settings.states.model_copy(update={"names": names}), model, prepared["names"])
    units = states.choose_units(found, 6)
    assert {name: tuple(values.shape) for name, values in found.items()} == {known[:5]: (6, 16), known[3:9]: (7, 16)}
    table = states.tabulate(found, units)
    assert len(table) == 6 * (6 + 7)
    assert table[6]["character"] == known[0]  # after the six units of the start mark
    assert table[6]["value"] == pytest.approx(float(found[known[:5]][1, units[0]]))
    figure = states.draw_states(found, units)
    assert [axes.get_title() for axes in figure.axes[:2]] == list(names)


@pytest.mark.parametrize(
    ("name", "label", "message"),
    [("Rossi", "Italien", "no label 'Italien'; did you mean 'Italian'"), ("Ros5i", "Italian", "does not know all")],
)
def test_unknown_labels_and_characters_are_reported(
    settings: GradientsStudy, model: LanguageModel, prepared: dict[str, Path], name: str, label: str, message: str
) -> None:
    wrong = settings.states.model_copy(update={"names": {name: label}})
    with pytest.raises(StageError, match=message):
        states.read_states(wrong, model, prepared["names"])


@pytest.mark.parametrize("path", sorted((ROOT / METRICS / "studies/gradients").glob("*.json")), ids=lambda path: path.stem)
def test_the_recorded_figures_equal_those_of_the_stage(path: Path) -> None:
    """For each stage with committed results."""
    found = json.loads(path.read_text(encoding="utf-8"))
    recorded = json.loads((ROOT / RESULTS / "recurrent.json").read_text(encoding="utf-8"))["figures"]
    assert {name: recorded[name] for name in found} == found
