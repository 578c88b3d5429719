"""Padding has no effect: a text gives the same result alone and in a batch with longer ones."""

import pytest
import torch
from lesson_files import NAMES, SENTENCES

from lessons import attention, char_rnn_classification, char_rnn_generation, glove_sentiment, lstm_gru, seq2seq_translation

TEXTS = ["Lis", "Wiśniewski", "Ricci"]


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(5)


def test_classified_names() -> None:
    alphabet = char_rnn_classification.Alphabet([name for names in NAMES.values() for name in names])
    model = char_rnn_classification.Classifier(len(alphabet.ids) + 4, 8, 8, 3)
    together = char_rnn_classification.probabilities(model, TEXTS, alphabet)
    alone = torch.cat([char_rnn_classification.probabilities(model, [text], alphabet) for text in TEXTS])
    torch.testing.assert_close(together, alone)


def test_generated_names() -> None:
    alphabet = char_rnn_generation.Alphabet([(name, label) for label, names in NAMES.items() for name in names])
    model = char_rnn_generation.LanguageModel(len(alphabet.characters), 3, 8, 8).eval()
    rows = [(text, "Polish") for text in TEXTS]
    together = char_rnn_generation.losses_of(model, *alphabet.encode(rows))
    for row, losses in zip(rows, together, strict=True):
        (alone,) = char_rnn_generation.losses_of(model, *alphabet.encode([row]))
        torch.testing.assert_close(losses[: len(row[0]) + 1], alone)
        assert not losses[len(row[0]) + 1 :].any()
    by_hand = sum(float(losses.sum()) for losses in together) / sum(len(name) + 1 for name, _ in rows)
    assert char_rnn_generation.evaluate(model, rows, alphabet) == pytest.approx(by_hand)


def test_classified_sentences() -> None:
    ids = {word: place for place, word in enumerate(("<pad>", "<unk>", "a", "b", "c", "d", "e"))}
    model = glove_sentiment.Classifier(torch.randn(7, 5), 6)
    texts = [["a"], ["b", "c", "d", "e", "unknown"], ["c", "a"]]
    together = glove_sentiment.probabilities(model, texts, ids)
    alone = torch.cat([glove_sentiment.probabilities(model, [text], ids) for text in texts])
    torch.testing.assert_close(together, alone)


@pytest.mark.parametrize("name", ["fixed", "dot", "general", "concat", "multihead", "bahdanau"])
def test_read_dates(name: str) -> None:
    model = attention.Reader(name, 16)
    texts = ["4 jul 1976", "wednesday, 29 september 2099"]
    together, weights = model.read(texts)
    assert together == [model.read([text])[0][0] for text in texts]
    assert not weights[0, :, len(texts[0]) :].any()
    torch.testing.assert_close(weights.sum(2), torch.ones(2, 11))


def test_translations() -> None:
    french, english = (
        seq2seq_translation.Vocabulary([seq2seq_translation.words(row[side]) for row in SENTENCES]) for side in (0, 1)
    )
    model = seq2seq_translation.Translator(len(french.words), len(english.words), 8, 16).eval()
    rows = [(["le", "chat"], ["the"]), (["le", "fichier", "n'", "existe", "pas"], ["the", "file", "does"])]
    source, target = french.encode([row[0] for row in rows]), english.encode([row[1] for row in rows], target=True)
    together = model(source, target)
    alone = model(french.encode([rows[0][0]]), english.encode([rows[0][1]], target=True))
    torch.testing.assert_close(together[0, : alone.shape[1]], alone[0])


def test_grammar_strings() -> None:
    model = lstm_gru.Predictor("lstm", 8)
    together = model(lstm_gru.batch(["BTBTXSETE", "BPBPVVEPEBTX"]))
    torch.testing.assert_close(together[0, :9], model(lstm_gru.batch(["BTBTXSETE"]))[0])
