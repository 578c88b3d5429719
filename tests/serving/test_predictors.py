"""What holds for any weights: batches, seeds, errors row by row. The bundles are tiny and random."""

import itertools
import json
import logging
import shutil
from pathlib import Path

import numpy as np
import pytest

from models.text.special import BOS, EOS
from models.text.word_tokenizer import WordTokenizer
from serving.bundle import Bundle, BundleError, Decoding
from serving.predictor import Predictor, load_predictor
from serving.predictors.classification import Classifier
from serving.predictors.generation import Generator, Prompt
from serving.predictors.translation import Translator
from serving.sampling import Sampling
from serving.session import Session

KINDS = ["classification", "sentiment", "generation", "translation", "vectors"]
TEXTS = ["Rossi", "De la", "K", "Müller", "Un", "Oz"]
WORDS = ["Rossi", "king", "KING", "Müller", "don't", "K"]


@pytest.fixture(scope="module")
def predictors(bundles) -> dict[str, Predictor]:
    return {kind: load_predictor(bundles[kind]) for kind in KINDS}


def texts(kind):
    return WORDS if kind == "vectors" else TEXTS


def body(kind, text, **parameters):
    seed = {"seed": 3} if kind == "generation" else {}
    return {"inputs": text, "parameters": seed | parameters}


def assert_same(answer, expected):
    """Equal but for the last digits of numbers, which depend on how a batch is cut."""
    if isinstance(expected, dict):
        assert answer.keys() == expected.keys()
        answer, expected = list(answer.values()), list(expected.values())
    if isinstance(expected, list):
        for a, b in zip(answer, expected, strict=True):
            assert_same(a, b)
    else:
        assert answer == (pytest.approx(expected, rel=1e-4, abs=1e-6) if isinstance(expected, float) else expected)


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_is_answered_the_same_alone_in_a_list_and_in_a_batch(predictors, kind):
    answer = predictors[kind].answer
    alone = [answer([body(kind, text)])[0] for text in texts(kind)]
    assert all(reply.status == 200 for reply in alone)
    expected = [reply.body for reply in alone]
    assert_same([reply.body for reply in answer([body(kind, text) for text in texts(kind)])], expected)
    (listed,) = answer([body(kind, texts(kind))])
    assert_same(listed.body, [a[0] for a in expected] if kind == "translation" else expected)  # a translation's list is flat


@pytest.mark.parametrize("kind", KINDS)
def test_bad_rows_leave_their_neighbours_untouched(predictors, bundles, kind):
    too_long = ("ab" if kind == "vectors" else "ab ") * (Bundle.load(bundles[kind]).max_length + 1)
    bad = [b"", "Rossi", {"inputs": 1}, body(kind, too_long), body(kind, "a", colour=1), body(kind, ["a", too_long])]
    good = [body(kind, text) for text in texts(kind)]
    mixed = [row for pair in zip(bad, good, strict=True) for row in pair]
    replies = predictors[kind].answer(mixed)
    assert [reply.status for reply in replies] == [400, 200] * len(good)
    assert_same([r.body for r in replies[1::2]], [r.body for r in predictors[kind].answer(good)])
    codes = [reply.body["error"]["code"] for reply in replies[::2]]
    assert codes == ["empty_body", "invalid_json", "invalid_inputs", "input_too_long", "unknown_parameter", "input_too_long"]
    assert replies[-2].body["error"]["input"] == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_failing_model_gives_500_and_says_why_in_the_log_only(bundles, kind, monkeypatch, caplog):
    predictor = load_predictor(bundles[kind])

    def fail(*_):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(predictor._endpoint, "answer", fail)
    with caplog.at_level(logging.ERROR):
        replies = predictor.answer([body(kind, "Rossi"), {}])
    assert [r.status for r in replies] == [500, 400]
    assert replies[0].body["error"]["code"] == "internal_error"
    assert "out of memory" in caplog.text
    assert "out of memory" not in str(replies[0].body)


@pytest.mark.parametrize("kind", KINDS)
def test_no_body_gives_no_reply_and_every_answer_is_json(predictors, kind):
    assert predictors[kind].answer([]) == []
    (reply,) = predictors[kind].answer([body(kind, texts(kind))])
    json.dumps(reply.body, allow_nan=False)


@pytest.mark.parametrize("kind", ["classification", "sentiment", "translation", "vectors"])
def test_an_empty_text_is_an_error(predictors, kind):
    single, listed = predictors[kind].answer([body(kind, " \t"), body(kind, ["a", ""])])
    assert single.body["error"]["code"] == "empty_input"
    assert listed.body["error"]["input"] == 1


def test_classes_come_best_first_and_top_k_is_capped(predictors, bundles):
    labels = Bundle.load(bundles["classification"]).labels
    (reply,) = predictors["classification"].answer([body("classification", "Rossi", top_k=1000)])
    scores = [c["score"] for c in reply.body]
    assert scores == sorted(scores, reverse=True)
    assert sum(scores) == pytest.approx(1)
    assert {c["label"] for c in reply.body} == set(labels)
    (reply,) = predictors["classification"].answer([body("classification", "Rossi", top_k=1)])
    assert len(reply.body) == 1


def test_the_classifier_batches_without_a_trace(bundles):
    classifier = Classifier.load(bundles["classification"])
    whole = classifier.probabilities(TEXTS)
    np.testing.assert_allclose(classifier.probabilities(TEXTS, batch_size=2), whole, rtol=1e-5)
    assert classifier.probabilities([]).shape == (0, len(classifier.bundle.labels))
    with pytest.raises(ValueError, match="text 1 has no character"):
        classifier.probabilities(["a", " "])


SENTENCES = ["A good film!", "slow", "dull, dull PLOT", "The cast isn't funny"]


def explained(predictors, text):
    (reply,) = predictors["sentiment"].answer([body("sentiment", text, explain=True)])
    assert reply.status == 200
    return reply.body


def test_an_explanation_names_every_word_with_its_share(predictors, bundles):
    (plain,) = predictors["sentiment"].answer([body("sentiment", SENTENCES)])
    for answer, scores, text in zip(explained(predictors, SENTENCES), plain.body, SENTENCES, strict=True):
        assert_same(answer["labels"], scores)
        assert sum(word["importance"] for word in answer["words"]) == pytest.approx(1, abs=0.001)
        assert [word["word"] for word in answer["words"]] == WordTokenizer.load(bundles["sentiment"] / "tokenizer.json").tokens(
            text
        )
    words = explained(predictors, SENTENCES[-1])["words"]
    assert [(word["word"], word["known"]) for word in words] == [
        *(("the", False), ("cast", True), ("is", False), ("n't", False), ("funny", True))
    ]


def test_only_those_who_ask_get_an_explanation_though_all_share_a_pass(predictors):
    bodies = [body("sentiment", text, explain=i % 2 == 1) for i, text in enumerate(SENTENCES)]
    replies = [reply.body for reply in predictors["sentiment"].answer(bodies)]
    assert [isinstance(reply, dict) for reply in replies] == [False, True, False, True]
    for text, reply in zip(SENTENCES, replies, strict=True):
        assert_same(reply["labels"] if isinstance(reply, dict) else reply, explained(predictors, text)["labels"])


def test_unknown_words_are_counted_in_the_answer(predictors):
    texts = {"quux 東京": 2, "quux film": 1, "film": None}
    for text, reply in zip(texts, predictors["sentiment"].answer([body("sentiment", text) for text in texts]), strict=True):
        assert [score.get("unknown_words") for score in reply.body] == [texts[text]] * len(reply.body)
        assert all("unknown_characters" not in score for score in reply.body)
    assert all(score["unknown_words"] == 1 for score in explained(predictors, "quux")["labels"])


def test_what_cannot_be_explained_or_read_is_refused(predictors):
    (characters,) = predictors["classification"].answer([body("classification", "Rossi", explain=True)])
    assert characters.body["error"]["code"] == "invalid_parameter"
    (marks,) = predictors["sentiment"].answer([body("sentiment", "... !?")])
    assert marks.body["error"] == {"code": "empty_input", "message": "the text has no words"}


def test_bits_are_those_of_the_graph_run_step_by_step(bundles):
    generator = Generator.load(bundles["generation"])
    graph = Session(bundles["generation"] / "model.onnx")
    label_ids = [i % 2 for i in range(len(TEXTS))]
    bits, predicted = generator.bits(TEXTS, [generator.bundle.labels[i] for i in label_ids], batch_size=4)
    assert predicted.tolist() == [len(text) + 1 for text in TEXTS]
    for text, label, expected in zip(TEXTS, label_ids, bits, strict=True):
        state, total = np.zeros((1, graph.width("state")), dtype=np.float32), 0.0
        for before, unit in itertools.pairwise([BOS, *generator.tokenizer.encode(text), EOS]):
            logits, state = graph(characters=np.array([[before]]), label=np.array([label]), state=state)
            total += np.log2(np.exp(logits[0, 0].astype(float)).sum()) - logits[0, 0, unit] / np.log(2)
        assert total == pytest.approx(expected, rel=1e-5)


def test_the_same_seed_gives_the_same_names_however_many_are_asked_for(predictors):
    def ask(**parameters):
        (reply,) = predictors["generation"].answer([{"inputs": "", "parameters": parameters}])
        return reply.body

    three = ask(seed=5, num_return_sequences=3)
    assert ask(seed=5, num_return_sequences=3) == three
    assert ask(seed=5) == three[:1]
    assert ask(seed=5, label=three[0]["label"]) == three[:1]
    assert len({json.dumps(ask(num_return_sequences=16)) for _ in range(3)}) == 3


def test_a_name_keeps_its_beginning_and_its_limits(predictors, bundles):
    longest = Bundle.load(bundles["generation"]).max_length
    bodies = [body("generation", "Żo", seed=s, num_return_sequences=16, temperature=5.0) for s in range(3)]
    names = [n["generated_text"] for reply in predictors["generation"].answer(bodies) for n in reply.body]
    assert all(name.startswith("Żo") and len(name) <= longest for name in names)
    (reply,) = predictors["generation"].answer([body("generation", "Ro", max_new_tokens=1, num_return_sequences=16)])
    assert all(len(n["generated_text"]) <= 3 for n in reply.body)


def test_generation_refuses_what_the_bundle_does_not_have(predictors, bundles):
    bundle = Bundle.load(bundles["generation"])
    wrong = body("generation", "", label=bundle.labels[0] + "x")
    too_many = body("generation", "", max_new_tokens=bundle.max_length + 1)
    full = body("generation", "a" * bundle.max_length)
    replies = predictors["generation"].answer([wrong, too_many, full])
    assert [r.body["error"]["code"] for r in replies] == ["unknown_label", "invalid_parameter", "input_too_long"]
    assert f'did you mean "{bundle.labels[0]}"?' in replies[0].body["error"]["message"]


def test_temperature_zero_needs_no_seed_and_rows_leave_in_any_order(bundles):
    generator = Generator.load(bundles["generation"])
    labels = generator.bundle.labels
    prompts = [
        Prompt(text, labels[limit % 2], Sampling(temperature=0), np.random.default_rng(), limit)
        for text, limit in [("", 3), ("R", 9), ("", 6), ("Ros", 1), ("K", 8), ("Mü", 2)]
    ]
    alone = [generator.generate([prompt])[0] for prompt in prompts]
    assert generator.generate(prompts) == alone
    assert generator.generate(prompts, batch_size=2) == alone


def test_translations_come_with_alternatives_and_attention_on_request(predictors):
    plain, full = predictors["translation"].answer(
        [
            body("translation", "un homme lit"),
            body("translation", "un homme lit", num_return_sequences=3, attention=True),
        ]
    )
    (best,), (answer,) = plain.body, full.body
    assert set(best) == {"translation_text", "score"}
    assert answer["translation_text"] == best["translation_text"]
    assert answer["score"] == pytest.approx(best["score"], rel=1e-5)
    scores = [answer["score"], *(a["score"] for a in answer["alternatives"])]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == 3
    attention = answer["attention"]
    assert attention["source"][-1] == attention["target"][-1] == "<eos>"
    weights = np.array(attention["weights"])
    assert weights.shape == (len(attention["target"]), len(attention["source"]))
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=5e-3)


def test_what_a_request_leaves_open_the_bundle_decides(predictors, bundles):
    decoding = Bundle.load(bundles["translation"]).decoding
    spelled, left, over = predictors["translation"].answer(
        [
            body("translation", "Un homme lit.", **decoding.model_dump()),
            body("translation", "Un homme lit."),
            body("translation", "Un homme lit.", num_return_sequences=decoding.num_beams + 1),
        ]
    )
    assert spelled == left
    assert over.body["error"]["code"] == "invalid_parameter"


def test_the_translator_batches_without_a_trace(bundles):
    translator = Translator.load(bundles["translation"])
    how = Decoding(num_beams=3, no_repeat_ngram_size=2, coverage_penalty=0.2)
    whole = translator.translate(TEXTS, how, n_best=2, attention=True)
    alone = translator.translate(TEXTS, how, n_best=2, attention=True, batch_size=1)
    for a, b in zip(itertools.chain(*whole), itertools.chain(*alone), strict=True):
        assert a.text == b.text
        assert (a.alignment.source, a.alignment.target) == (b.alignment.source, b.alignment.target)
        np.testing.assert_allclose(a.alignment.weights, b.alignment.weights, rtol=1e-3, atol=1e-5)
    assert translator.translate([]) == []


def test_the_translator_finds_the_same_on_several_cores(bundles):
    one, three = (Translator.load(bundles["translation"], threads=threads) for threads in (1, 3))
    texts = TEXTS * 3
    assert three.translate(texts, batch_size=2) == one.translate(texts, batch_size=2)


def test_the_bundles_temperature_divides_the_logits(bundles, tmp_path):
    folder = Path(shutil.copytree(bundles["classification"], tmp_path / "cooled"))
    plain = Bundle.load(folder)
    described = plain.model_dump(include={"task", "kind", "max_length", "labels"})
    Bundle.write(folder, **described, temperature=plain.temperature * 2)
    sharp, cooled = (Classifier.load(where).probabilities(TEXTS) for where in (bundles["classification"], folder))
    expected = np.sqrt(sharp)
    np.testing.assert_allclose(cooled, expected / expected.sum(axis=1, keepdims=True), rtol=1e-5)


def test_a_temperature_belongs_to_classifiers_alone(bundles, tmp_path):
    folder = Path(shutil.copytree(bundles["generation"], tmp_path / "names"))
    described = Bundle.load(folder).model_dump(include={"task", "kind", "max_length", "labels"})
    with pytest.raises(BundleError, match="temperature"):
        Bundle.write(folder, **described, temperature=2.0)
