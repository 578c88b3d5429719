"""The n-gram table: each occurrence of an n-gram counts once, and padding does not count."""

import pytest
import torch
from torch.nn.utils.rnn import pad_sequence

from models.ngrams import MODULUS, MULTIPLIER, SCALE, NgramScores, ngram_rows
from models.text.special import PAD

BUCKETS = 2**20  # enough that no n-grams of these tests collide


def random_rows(*lengths: int) -> list[torch.Tensor]:
    return [torch.randint(1, 4, (length,)) for length in lengths]  # three characters: many n-grams repeat


def test_equal_ngrams_share_a_row_and_different_ones_do_not() -> None:
    torch.manual_seed(0)
    row_of: dict[tuple[int, ...], int] = {}
    for text in random_rows(9, 7, 30):
        rows = ngram_rows(text[None], 4, BUCKETS)[0].tolist()
        for n in range(1, 5):
            for end in range(len(text)):
                row, ngram = rows[end * 4 + n - 1], tuple(text[max(0, end - n + 1) : end + 1].tolist())
                if len(ngram) < n:
                    assert row == PAD
                else:
                    assert row_of.setdefault(ngram, row) == row
    assert len(set(row_of.values())) == len(row_of)
    assert all(1 <= row <= BUCKETS for row in row_of.values())


def test_a_hash_is_the_polynomial_of_the_characters() -> None:
    text, buckets = [3, 69_000, 7, 99_999, 12], 1009
    rows = ngram_rows(torch.tensor([text]), 5, buckets)[0].tolist()
    for n in range(1, 6):
        code = 0
        for character in reversed(text[5 - n :]):
            code = (code * MULTIPLIER + character) % MODULUS
        assert rows[4 * 5 + n - 1] == code % buckets + 1


def test_rows_stay_within_the_table() -> None:
    rows = ngram_rows(torch.randint(1, 70, (50, 12)), 5, 10)
    assert set(torch.unique(rows).tolist()) == set(range(11))


@pytest.mark.parametrize("longest", [1, 3, 8])
def test_a_batch_equals_its_texts_one_by_one(longest: int) -> None:
    torch.manual_seed(0)
    scores = NgramScores(classes=3, buckets=1000, longest=longest, dropout=0.5).eval()
    torch.nn.init.normal_(scores.table.weight[1:])
    texts = random_rows(1, 5, 2, 9)
    lengths = torch.tensor([len(text) for text in texts])
    batch = scores(pad_sequence(texts, batch_first=True, padding_value=2), lengths)  # the content of padding has no effect
    for text, row in zip(texts, batch, strict=True):
        torch.testing.assert_close(scores(text[None], torch.tensor([len(text)]))[0], row)


def test_scores_are_the_scaled_sum_of_the_rows() -> None:
    scores = NgramScores(classes=2, buckets=BUCKETS, longest=2, dropout=0.5).eval()
    torch.nn.init.normal_(scores.table.weight[1:])
    text = torch.tensor([[1, 2, 1]])  # 1, 2, 1, 12, 21
    rows = ngram_rows(text, 2, BUCKETS)
    expected = SCALE * sum(scores.table.weight[row] for row in rows[0].tolist() if row != PAD) / 5**0.5
    torch.testing.assert_close(scores(text, torch.tensor([3]))[0], expected)


def test_dropout_drops_ngrams_only_in_training() -> None:
    torch.manual_seed(0)
    scores = NgramScores(classes=1, buckets=1000, longest=1, dropout=0.25)
    torch.nn.init.ones_(scores.table.weight[1:])
    texts, lengths = torch.ones(1, 4000, dtype=torch.long), torch.tensor([4000])
    assert float(scores.eval()(texts, lengths).detach()) == pytest.approx(SCALE * 4000**0.5)
    kept = (float(scores.train()(texts, lengths).detach()) / SCALE) ** 2  # sum / sqrt(count) of ones is sqrt(count)
    assert kept == pytest.approx(3000, rel=0.05)
