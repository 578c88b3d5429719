"""ELMo: spellings, what each layer can see, and training."""

import numpy as np
import pytest
import torch

from models.embeddings.character_cnn import CharacterCNN
from models.embeddings.elmo import ELMo, ScalarMix
from models.text.characters import CharacterTokenizer
from models.text.special import BOS, EOS, PAD, SPECIAL_TOKENS, UNK
from models.text.spelling import Speller

WORDS = ["the", "bank", "of", "a", "river", "light", "play", "bright", "rivers", "boat"]
LONGEST, D = 8, 6
SPELLER = Speller(CharacterTokenizer.train(WORDS, lowercase=False), LONGEST)


def make(targets: int = len(SPECIAL_TOKENS) + len(WORDS), cutoffs: tuple[int, ...] = (5,)) -> ELMo:
    torch.manual_seed(0)
    return ELMo(
        spellings=torch.from_numpy(SPELLER.table(WORDS)),
        targets=targets,
        cutoffs=cutoffs,
        characters=SPELLER.characters.size,
        character_size=5,
        filters=(4, 3, 2),
        highways=2,
        size=D,
        dropout=0.0,
    )


def read(model: ELMo, *sentences: str) -> list[torch.Tensor]:
    """Each sentence's layers, [3, T, 2d], from one padded batch."""
    spellings = [torch.from_numpy(SPELLER.sentence(sentence.split())) for sentence in sentences]
    lengths = torch.tensor([len(spelling) for spelling in spellings])
    layers = model.layers(torch.nn.utils.rnn.pad_sequence(spellings, batch_first=True, padding_value=PAD), lengths)
    return [layers[:, i, :length] for i, length in enumerate(lengths)]


def numbered(*sentences: str) -> tuple[torch.Tensor, torch.Tensor]:
    rows = [[BOS, *(len(SPECIAL_TOKENS) + WORDS.index(word) for word in s.split()), EOS] for s in sentences]
    lengths = torch.tensor([len(row) for row in rows])
    tensors = [torch.tensor(row) for row in rows]
    return torch.nn.utils.rnn.pad_sequence(tensors, batch_first=True, padding_value=PAD), lengths


def test_spellings_are_marked_truncated_and_padded() -> None:
    ids = SPELLER.characters.encode("boat")
    sentence = SPELLER.sentence(["boat", "boatboatboat"])
    assert sentence.tolist() == [
        [BOS, BOS, EOS, PAD, PAD, PAD, PAD, PAD],
        [BOS, *ids, EOS, PAD, PAD],
        [BOS, *ids, *ids[:2], EOS],
        [BOS, EOS, EOS, PAD, PAD, PAD, PAD, PAD],
    ]
    assert SPELLER.sentence(["x" * 10_000]).tolist()[1] == [BOS, *[UNK] * 6, EOS]
    table = SPELLER.table(WORDS)
    np.testing.assert_array_equal(table[[BOS, len(SPECIAL_TOKENS) + WORDS.index("boat"), EOS]], sentence[[0, 1, 3]])
    assert len({tuple(row) for row in table.tolist()}) == len(SPECIAL_TOKENS) + len(WORDS)
    with pytest.raises(ValueError, match="no room for a character"):
        Speller(SPELLER.characters, 2)


def test_a_words_vector_equals_the_papers_formula() -> None:
    torch.manual_seed(0)
    cnn = CharacterCNN(characters=9, character_size=3, filters=(2, 4), highways=1, size=5).double().eval()
    cnn.get_buffer("normalization.running_mean").normal_()  # as if it had been trained
    cnn.get_buffer("normalization.running_var").uniform_(0.5, 2)
    spelling = torch.tensor([2, 4, 8, 3, 0])
    weights = {name: weight.detach().numpy() for name, weight in cnn.named_parameters()}
    c = weights["embedding.weight"][spelling.numpy()]  # [C, character_size]
    responses = []
    for k in (1, 2):
        w, b = weights[f"convolutions.{k - 1}.weight"], weights[f"convolutions.{k - 1}.bias"]  # [filters, character_size, k]
        windows = [np.einsum("fck,kc->f", w, c[i : i + k]) + b for i in range(len(c) - k + 1)]
        responses.append(np.maximum(np.max(windows, axis=0), 0))
    x = np.concatenate(responses)
    transform, gate = (
        weights[f"highways.0.{part}.weight"] @ x + weights[f"highways.0.{part}.bias"] for part in ("transform", "gate")
    )
    g = 1 / (1 + np.exp(-gate))
    y = g * x + (1 - g) * np.maximum(transform, 0)
    z = weights["projection.weight"] @ y + weights["projection.bias"]
    mean, variance = (cnn.normalization.get_buffer(f"running_{name}").numpy() for name in ("mean", "var"))
    expected = (z - mean) / np.sqrt(variance + cnn.normalization.eps)  # its scale is initially 1, its shift 0
    np.testing.assert_allclose(cnn(spelling[None])[0].detach().numpy(), expected, rtol=1e-10)


def test_a_batch_equals_its_sentences_one_by_one() -> None:
    model = make().eval()
    sentences = ["the bank of a river", "light", "", "a boat play play play play light"]
    for sentence, layers in zip(sentences, read(model, *sentences), strict=True):
        torch.testing.assert_close(read(model, sentence)[0], layers)


def test_a_batchs_loss_is_the_sum_of_its_sentences_losses() -> None:
    model = make().eval()
    sentences = ["the bank of a river", "light", "a boat play play play play light"]
    together, units = model(*numbered(*sentences))
    losses = [model(*numbered(sentence)) for sentence in sentences]
    torch.testing.assert_close(together, sum(total for total, _ in losses))
    assert units == sum(units for _, units in losses) == 2 * (6 + 2 + 8)


def test_padding_is_zero() -> None:
    spellings = torch.from_numpy(SPELLER.sentence(["the", "bank"]))[None].expand(2, -1, -1)
    layers = make().layers(spellings, torch.tensor([4, 2]))
    assert (layers[:, 1, 2:] == 0).all()
    assert (layers[:, 1, :2] != 0).all()


def test_each_direction_sees_only_its_own_side() -> None:
    model = make().eval()
    (before,), k = read(model, "the bank of a river"), 3
    (after,) = read(model, "the bank light a river")  # word 3, BOS being 0
    changed = (before != after).any(2).reshape(3, -1)  # [3, T]
    assert changed[0].tolist() == [t == k for t in range(7)]
    forward, backward = ((before[1:, :, side] != after[1:, :, side]).any(2) for side in (slice(D), slice(D, None)))
    assert forward.tolist() == [[t >= k for t in range(7)]] * 2
    assert backward.tolist() == [[t <= k for t in range(7)]] * 2


def test_only_layer_0_is_independent_of_the_sentence() -> None:
    first, second = read(make().eval(), "the bank of a river", "light of a bank")
    torch.testing.assert_close(first[0, 2], second[0, 4])
    for layer in (1, 2):
        for side in (slice(D), slice(D, None)):
            assert (first[layer, 2, side] - second[layer, 4, side]).abs().max() > 1e-3


def test_the_predicted_word_is_not_an_input() -> None:
    """In each direction, the probabilities of all words at one position sum to 1."""
    model = make().eval()
    words, lengths = numbered("the bank of a river")
    k, size = 3, model.targets
    others = words.repeat(size, 1)
    others[:, k] = torch.arange(size)
    x = model.words(model.spellings[others.flatten()]).unflatten(0, others.shape)
    (_, ahead), (_, back) = model._states(x, lengths.repeat(size))
    for states in (ahead[:, k - 1], back[:, k + 1]):
        log_probability = model.output.log_probability(states, torch.arange(size)).detach()
        assert float(log_probability.exp().sum()) == pytest.approx(1, abs=1e-5)


def test_words_beyond_the_softmax_are_predicted_as_unknown() -> None:
    targets = len(SPECIAL_TOKENS) + 2
    model = make(targets=targets).eval()
    words, lengths = numbered("the bank of")
    states = model.layers(model.spellings[words], lengths)[2]
    ids = words[0].tolist()
    pairs = [(states[0, t - 1, :D], ids[t]) for t in range(1, 5)] + [(states[0, t + 1, D:], ids[t]) for t in range(4)]
    scored = torch.tensor([i if i < targets else UNK for _, i in pairs])
    assert (scored == UNK).sum() == 2  # "of", in both directions
    cost = -model.output.log_probability(torch.stack([state for state, _ in pairs]), scored).sum()
    torch.testing.assert_close(model(words, lengths).total, cost)


def test_overfits_one_batch() -> None:
    model = make(cutoffs=())
    words, lengths = numbered("the bank of a river", "light play", "a bright boat of light")
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.03)
    for _ in range(120):
        optimizer.zero_grad()
        total, units = model(words, lengths)
        (total / units).backward()
        optimizer.step()
    assert float(total.detach()) / units < 0.3  # each direction guesses among three first words


def test_the_mix_is_the_weighted_sum_of_the_layers() -> None:
    mix, layers = ScalarMix(3), torch.randn(3, 2, 4, 5)
    torch.testing.assert_close(mix(layers), layers.mean(0))
    with torch.no_grad():
        mix.weights.copy_(torch.tensor([0.0, 1.0, 2.0]))
        mix.scale.fill_(3.0)
    share = np.exp([0, 1, 2]) / np.exp([0, 1, 2]).sum()
    torch.testing.assert_close(mix(layers), 3 * sum(float(s) * layer for s, layer in zip(share, layers, strict=True)))
