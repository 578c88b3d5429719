"""The lessons compute the same as the project's modules with the same weights."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lessons import attention as attention_lesson
from lessons import bptt, glove_embedding, lstm_gru, ngram_lm, seq2seq_translation, word2vec
from models.attention.additive import BahdanauAttention, ConcatAttention
from models.attention.multi_head import MultiHeadAttention
from models.attention.multiplicative import DotAttention, GeneralAttention, ScaledDotAttention
from models.attention.self_attention import SelfAttention
from models.beam import Options, beam_search
from models.embeddings.glove import GloVe
from models.embeddings.negative_sampling import NegativeSampling
from models.embeddings.ngram_lm import NgramLM
from models.recurrent.layer import Recurrent
from models.text.special import EOS, PAD
from models.translation.decoder import Decoder

B, T, S, H, M, A = 3, 4, 6, 8, 8, 8


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(3)


def copy(*pairs: tuple[nn.Module, nn.Module]) -> None:
    for ours, theirs in pairs:
        ours.load_state_dict(theirs.state_dict())


@pytest.mark.parametrize("cell", ["rnn", "lstm", "peephole", "gru"])
def test_cells(cell: str) -> None:
    house = Recurrent(cell, 5, H)  # type: ignore[arg-type]
    lesson = lstm_gru.Recurrent(cell, 5, H)
    w_ih, w_hh, b_ih, b_hh, *peepholes = house.weights(0)
    with torch.no_grad():
        for ours, theirs in zip(
            (lesson.W.weight, lesson.U.weight, lesson.W.bias, lesson.U.bias), (w_ih, w_hh, b_ih, b_hh), strict=True
        ):
            ours.copy_(theirs)
        if peepholes:
            lesson.p.copy_(peepholes[0])
    x = torch.randn(B, T, 5)
    torch.testing.assert_close(lesson(x)[0], house(x, torch.full((B,), T))[0])


def test_attentions() -> None:
    query, memory = torch.randn(B, T, H), torch.randn(B, S, M)
    mask = torch.arange(S) < torch.tensor([[6], [4], [1]])
    bahdanau, bahdanau_house = attention_lesson.Bahdanau(H, M, A), BahdanauAttention(H, M, A)
    concat, concat_house = attention_lesson.Concat(H, M, A), ConcatAttention(H, M, A)
    general, general_house = attention_lesson.General(H, M), GeneralAttention(H, M)
    heads, heads_house = attention_lesson.MultiHead(H, M, A, 2), MultiHeadAttention(H, M, A, 2)
    copy(
        (bahdanau.W, bahdanau_house.query),
        (bahdanau.U, bahdanau_house.key),
        (bahdanau.v, bahdanau_house.energy),
        (concat.W, concat_house.hidden),
        (concat.v, concat_house.energy),
        (general.W, general_house.key),
        (heads.W_Q, heads_house.query),
        (heads.W_K, heads_house.key),
        (heads.W_V, heads_house.value),
        (heads.W_O, heads_house.output),
    )
    for ours, house in (
        (bahdanau, bahdanau_house),
        (concat, concat_house),
        (general, general_house),
        (heads, heads_house),
        (attention_lesson.Dot(), DotAttention(H, M)),
    ):
        context, weights = ours(query, memory, mask)
        expected, expected_weights = house(query, *house.prepare(memory), mask)
        torch.testing.assert_close(context, expected)
        torch.testing.assert_close(weights, expected_weights)
        assert not weights.masked_select(~mask[:, None]).any()


def test_self_attention() -> None:
    x, mask = torch.randn(B, T, M), torch.arange(T) < torch.tensor([[4], [2], [1]])
    expected, _ = SelfAttention(ScaledDotAttention(M, M))(x, mask)
    torch.testing.assert_close(attention_lesson.self_attention(x, mask)[mask], expected[mask])


def test_translator_attention_equals_the_projects() -> None:
    lesson = seq2seq_translation.Translator(9, 9, 4, H)
    house = Decoder(
        nn.Embedding(9, 4), cell="gru", hidden_size=H, layers=1, memory_size=H, attention="bahdanau", attention_size=H,
        heads=1, input_feeding=False, dropout=0.0, weight_dropout=0.0,
    )  # fmt: skip
    assert isinstance(house.attention, BahdanauAttention)
    copy((house.embedding, lesson.target), (house.attention.query, lesson.W), (house.attention.key, lesson.U))
    copy((house.attention.energy, lesson.v))
    layer = house.recurrent.layers[0]
    layer.load_state_dict({f"{name}_l0": value for name, value in lesson.cell.state_dict().items()})
    lesson.eval()
    memory, s = lesson.encode(torch.tensor([[4, 5, 6, EOS], [7, EOS, PAD, PAD]]))
    _, after, alpha = lesson.step(torch.tensor([5, 6]), s, memory)
    step = house.stepper(house.prepare(memory.h, memory.mask))
    _, expected, expected_alpha = step(house.embedding(torch.tensor([[5], [6]])), s[:, None])
    torch.testing.assert_close(after, expected[:, 0])
    torch.testing.assert_close(alpha, expected_alpha[:, 0])


class Table:
    """A decoder for both searches; its state is a number that depends on all previous tokens."""

    def __init__(self, words: int) -> None:
        self.log_p = torch.randn(16, words, dtype=torch.float64).mul(2).log_softmax(1)
        self.log_p[:, :3] = -torch.inf  # PAD, UNK, BOS

    def house(self, previous: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        after = (state * 5 + previous[..., None] * 3 + 1) % 16
        return self.log_p[after[..., 0].long()], after, torch.ones(*previous.shape, 1, dtype=torch.float64)

    def lesson(self, last: list[int], states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        after = [(state * 5 + token * 3 + 1) % 16 for token, state in zip(last, states, strict=True)]
        return self.log_p[torch.stack(after)[:, 0].long()], after


@pytest.mark.parametrize("beams", [1, 2, 5])
@pytest.mark.parametrize("alpha", [0.0, 0.7, 1.0])
def test_beam_search(beams: int, alpha: float) -> None:
    decoder, longest = Table(9), 7
    first = torch.full((beams,), -torch.inf, dtype=torch.float64)
    first[0] = 0
    options = Options(
        length_penalty=torch.tensor(alpha),
        length_offset=torch.tensor(0.0),
        coverage_penalty=torch.tensor(0.0),
        min_length=torch.tensor(0),
        ngram=torch.tensor(0),
        n_best=torch.tensor(beams),
    )
    start = torch.zeros(1, 1, dtype=torch.float64)
    found = beam_search(decoder.house, start, torch.ones(1, 1).bool(), torch.tensor([longest]), first, longest, options)
    ours = seq2seq_translation.beam_search(decoder.lesson, start[0], beams, longest, alpha)
    rows: Sequence[list[int]] = found.tokens[0].tolist()
    expected = [
        (score, row[: row.index(EOS) + 1]) for score, row in zip(found.scores[0].tolist(), rows, strict=True) if score > -math.inf
    ]
    assert [tokens for _, tokens in ours] == [tokens for _, tokens in expected]
    assert [score for score, _ in ours] == pytest.approx([score for score, _ in expected])


def test_skip_gram_gradient() -> None:
    size, d = 12, 6
    house = NegativeSampling(size, d, 4)
    nn.init.normal_(house.outputs.weight)
    v, target, noise = torch.randn(1, d, requires_grad=True), torch.tensor([3]), torch.tensor([7, 3, 1, 7])  # one is the target
    expected = house(v, target, noise)
    expected.backward()
    used = torch.cat((target, noise))
    counted = torch.cat((torch.ones(1, dtype=torch.bool), noise != target))[None]
    loss, d_v, d_u = word2vec.gradient(v.detach(), house.outputs.weight.detach()[used][None], counted)
    torch.testing.assert_close(loss, expected.detach())
    assert v.grad is not None
    torch.testing.assert_close(d_v, v.grad)
    assert house.outputs.weight.grad is not None
    torch.testing.assert_close(torch.zeros(size, d).index_add_(0, used, d_u[0]), house.outputs.weight.grad.to_dense())


def test_glove_loss() -> None:
    lesson, house = glove_embedding.GloVe(9, 5, x_max=10.0), GloVe(9, 5, x_max=10.0, alpha=0.75)
    for table in (house.word, house.context, house.word_bias, house.context_bias):
        nn.init.normal_(table.weight)
    copy((lesson.w, house.word), (lesson.w2, house.context), (lesson.b, house.word_bias), (lesson.b2, house.context_bias))
    i, j, x = torch.randint(9, (20,)), torch.randint(9, (20,)), torch.rand(20) * 20 + 0.1
    torch.testing.assert_close(lesson(i, j, x), house(i, j, x))


@pytest.mark.parametrize("direct", [False, True])
def test_ngram_language_model(direct: bool) -> None:
    size, n, m, h = 11, 4, 5, 7
    lesson = ngram_lm.NgramLM(size, n, m, h, direct=direct)
    house = NgramLM(vocabulary_size=size, order=n, embedding_size=m, hidden_size=h, direct=direct, dropout=0.0)
    copy((house.embedding, lesson.C), (house.hidden, lesson.H))
    head = next(module for name, module in house.output.named_modules() if name == "head")
    assert isinstance(head, nn.Linear)
    with torch.no_grad():
        head.weight.copy_(lesson.U.weight if lesson.W is None else torch.cat((lesson.U.weight, lesson.W.weight), 1))
        head.bias.copy_(lesson.U.bias)
    words = torch.randint(size, (2, 6))
    ngrams = words.unfold(1, n, 1).flatten(0, 1)
    torch.testing.assert_close(ngram_lm.log_p(lesson, ngrams), house.log_probability(words, torch.tensor([6, 6])))


def test_gradient_through_time() -> None:
    rng = np.random.default_rng(0)
    weights, x = bptt.initial_weights(6, rng), rng.integers(0, bptt.V, (4, 9))
    h, y = bptt.forward(weights, x)
    ours, delta = bptt.backward(weights, x, h, y, x[:, 0] % 4)
    for name, expected in bptt.autograd(weights, x, x[:, 0] % 4).items():
        np.testing.assert_allclose(ours[name], expected, atol=1e-12)
    assert delta.shape == (9, 4, 6)
    before = bptt.clip(ours, 0.01)
    assert before > 0.01
    assert math.isclose(math.sqrt(sum(float((g**2).sum()) for g in ours.values())), 0.01)
