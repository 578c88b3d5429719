"""The sentence classifier: only a sentence's own words matter, and occurrences only with contextual vectors."""

import torch

from pipelines.studies.contextual.classifier import SentenceClassifier

V, D, N, L, D2, CLASSES = 12, 5, 30, 3, 4, 3


def make(*, contextual: bool) -> SentenceClassifier:
    torch.manual_seed(0)
    layers = torch.randn(N, L, D2) if contextual else None
    vectors = torch.randn(V, D)
    return SentenceClassifier(vectors=vectors, layers=layers, classes=CLASSES, hidden_size=6, dropout=0.3).eval()


def test_a_batch_equals_its_rows() -> None:
    model, lengths = make(contextual=True), torch.tensor([4, 1, 7])
    words, occurrences = torch.randint(V, (3, 7)), torch.randint(N, (3, 7))
    together = model.logits(words, lengths, occurrences)
    for i, length in enumerate(lengths.tolist()):
        alone = model.logits(words[i : i + 1, :length], lengths[i : i + 1], occurrences[i : i + 1, :length])
        torch.testing.assert_close(together[i], alone[0])


def test_occurrences_count_only_with_contextual_vectors() -> None:
    words, lengths = torch.randint(V, (2, 5)), torch.tensor([5, 3])
    some, others = torch.zeros(2, 5, dtype=torch.int64), torch.ones(2, 5, dtype=torch.int64)
    plain, contextual = make(contextual=False), make(contextual=True)
    assert torch.equal(plain.logits(words, lengths, some), plain.logits(words, lengths, others))
    assert not torch.allclose(contextual.logits(words, lengths, some), contextual.logits(words, lengths, others))


def test_vectors_are_frozen_and_the_mix_learns() -> None:
    model = make(contextual=True)
    names = {name for name, _ in model.named_parameters()}
    assert {"mix.weights", "mix.scale"} <= names
    assert names.isdisjoint({"vectors", "layers"})
    assert "layers" not in model.state_dict()
    loss, units = model(torch.randint(V, (2, 5)), torch.tensor([5, 3]), torch.randint(N, (2, 5)), None, torch.tensor([0, 2]))
    loss.backward()
    assert units == 2
    assert model.mix is not None
    assert model.mix.weights.grad is not None
    assert model.mix.weights.grad.abs().sum() > 0


def test_overfits_a_few_sentences() -> None:
    model = make(contextual=True).train()
    words, occurrences = torch.randint(V, (8, 6)), torch.randint(N, (8, 6))
    lengths, labels = torch.full((8,), 6), torch.arange(8) % CLASSES
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.02)
    for _ in range(80):
        optimizer.zero_grad()
        model(words, lengths, occurrences, lengths, labels).total.backward()
        optimizer.step()
    assert model.eval().logits(words, lengths, occurrences).argmax(1).tolist() == labels.tolist()
