"""The seq2seq scheduler of orders: shares, masks, and independence of hidden inputs."""

import pytest
import torch
from torch import Tensor

from models.names import AttentionName
from models.scheduling.scheduler import Scheduler

B, L, A, F, C = 4, 9, 6, 4, 5
LENGTHS = torch.tensor([9, 9, 5, 1])
HORIZON = torch.tensor([6, 3, 1, 4])


def scheduler(attention: AttentionName = "general") -> Scheduler:
    torch.manual_seed(0)
    sizes = {"steps": F, "calendar": C, "longest": A, "hidden_size": 8, "layers": 1, "attention_size": 4}
    model = Scheduler(cell="gru", attention=attention, dropout=0.0, volume_weight=1.0, **sizes)
    model.begin_with(torch.randn(C))
    torch.nn.init.normal_(model.output.weight)
    return model.eval()


def inputs(seed: int = 1) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    order = {"horizon": HORIZON, "aversion": torch.tensor([0.0, 1.0, 10.0, 100.0])}
    return {"days": torch.randn(B, L, F + C), "lengths": LENGTHS, "ahead": torch.randn(B, A, C), **order}


@pytest.mark.parametrize("attention", ["bahdanau", "general", "scaled_dot"])
def test_shares_sum_to_one_over_the_horizon(attention: AttentionName) -> None:
    for shares in scheduler(attention).predict(**inputs()):
        torch.testing.assert_close(shares.sum(1), torch.ones(B))
        assert (shares >= 0).all()
        for row, horizon in zip(shares, HORIZON.tolist(), strict=True):
            assert (row[horizon:] == 0).all()


def test_padding_and_days_after_the_horizon_have_no_effect() -> None:
    model, given = scheduler(), inputs()
    expected = model.predict(**given)
    for row in range(B):
        given["days"][row, LENGTHS[row] :] = 7.0
        given["ahead"][row, HORIZON[row] :] = 7.0
    for ours, theirs in zip(model.predict(**given), expected, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_a_batch_equals_its_rows() -> None:
    model, given = scheduler(), inputs()
    whole = model.predict(**given)
    for row in range(B):
        alone = model.predict(**{name: values[row : row + 1] for name, values in given.items()})
        for ours, theirs in zip(alone, whole, strict=True):
            torch.testing.assert_close(ours[0], theirs[row])


def test_loss_is_zero_for_correct_shares_and_its_gradient_is_finite() -> None:
    model, given = scheduler(), inputs()
    schedule, volumes = (shares.detach() for shares in model.predict(**given))
    lengths = given.pop("lengths")
    loss = model(**given, days_lengths=lengths, schedule=schedule, volumes=volumes)
    assert loss.total.item() == pytest.approx(0, abs=1e-5)
    assert loss.units == B
    even = (torch.arange(A) < HORIZON[:, None]) / HORIZON[:, None]
    model(**given, days_lengths=lengths, schedule=even, volumes=even).total.backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def test_initial_volumes_are_the_calendars_effects() -> None:
    torch.manual_seed(0)
    sizes = {"steps": F, "calendar": C, "longest": A, "hidden_size": 8, "layers": 1, "attention_size": 4}
    model = Scheduler(cell="gru", attention="general", dropout=0.0, volume_weight=1.0, **sizes)
    effects, given = torch.randn(C), inputs()
    model.begin_with(effects)
    bare = (given["ahead"] @ effects)[0].softmax(0)
    torch.testing.assert_close(model.predict(**given)[1][0], bare)
