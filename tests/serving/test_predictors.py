"""Properties that hold for any weights: batching, seeds, errors per row. The bundles are tiny, with random weights."""

import itertools
import json
import logging
import re
import shutil
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from asking import Body, assert_same

from models.text.special import BOS, EOS
from models.text.word_tokenizer import WordTokenizer
from serving.bundle import Bundle, BundleError, Decoding
from serving.endpoints.shared import Json
from serving.predictor import Predictor, load_predictor
from serving.predictors.classification import Classifier
from serving.predictors.generation import Generator, Prompt
from serving.predictors.sampling import Sampling
from serving.predictors.session import Session
from serving.predictors.translation import Translator

KINDS = ["classification", "sentiment", "generation", "translation", "vectors"]
TEXTS = ["Rossi", "De la", "K", "Müller", "Un", "Oz"]
WORDS = ["Rossi", "king", "KING", "Müller", "don't", "K"]


@pytest.fixture(scope="module")
def predictors(bundles: dict[str, Path]) -> dict[str, Predictor]:
    return {kind: load_predictor(bundles[kind]) for kind in KINDS}


def texts(kind: str) -> list[str]:
    return WORDS if kind == "vectors" else TEXTS


def body(kind: str, text: str | list[str], **parameters: object) -> Body:
    seed = {"seed": 3} if kind == "generation" else {}
    return {"inputs": text, "parameters": seed | parameters}


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_gets_the_same_answer_alone_in_a_list_and_in_a_batch(predictors: dict[str, Predictor], kind: str) -> None:
    answer = predictors[kind].answer
    alone = [answer([body(kind, text)])[0] for text in texts(kind)]
    assert all(reply.status == 200 for reply in alone)
    expected = [reply.body for reply in alone]
    assert_same([reply.body for reply in answer([body(kind, text) for text in texts(kind)])], expected)
    (listed,) = answer([body(kind, texts(kind))])
    assert_same(listed.body, [a[0] for a in expected] if kind == "translation" else expected)  # a translation's list is flat


@pytest.mark.parametrize("kind", KINDS)
def test_bad_rows_do_not_affect_their_neighbours(predictors: dict[str, Predictor], bundles: dict[str, Path], kind: str) -> None:
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
def test_a_failing_model_gives_500_and_logs_the_reason(
    bundles: dict[str, Path], kind: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    predictor = load_predictor(bundles[kind])

    def fail(*_: object) -> NoReturn:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(predictor._endpoint, "answer", fail)
    with caplog.at_level(logging.ERROR):
        replies = predictor.answer([body(kind, "Rossi"), {}])
    assert [r.status for r in replies] == [500, 400]
    assert replies[0].body["error"]["code"] == "internal_error"
    assert "out of memory" in caplog.text
    assert "out of memory" not in str(replies[0].body)


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_batch_gets_no_replies_and_answers_are_json(predictors: dict[str, Predictor], kind: str) -> None:
    assert predictors[kind].answer([]) == []
    (reply,) = predictors[kind].answer([body(kind, texts(kind))])
    json.dumps(reply.body, allow_nan=False)


@pytest.mark.parametrize("kind", ["classification", "sentiment", "translation", "vectors"])
def test_an_empty_text_is_an_error(predictors: dict[str, Predictor], kind: str) -> None:
    single, listed = predictors[kind].answer([body(kind, " \t"), body(kind, ["a", ""])])
    assert single.body["error"]["code"] == "empty_input"
    assert listed.body["error"]["input"] == 1


def test_classes_come_best_first_and_top_k_is_capped(predictors: dict[str, Predictor], bundles: dict[str, Path]) -> None:
    labels = Bundle.load(bundles["classification"]).labels
    (reply,) = predictors["classification"].answer([body("classification", "Rossi", top_k=1000)])
    scores = [c["score"] for c in reply.body]
    assert scores == sorted(scores, reverse=True)
    assert sum(scores) == pytest.approx(1)
    assert {c["label"] for c in reply.body} == set(labels)
    (reply,) = predictors["classification"].answer([body("classification", "Rossi", top_k=1)])
    assert len(reply.body) == 1


def test_the_classifiers_batch_size_changes_nothing(bundles: dict[str, Path]) -> None:
    classifier = Classifier.load(bundles["classification"])
    whole = classifier.probabilities(TEXTS)
    np.testing.assert_allclose(classifier.probabilities(TEXTS, batch_size=2), whole, rtol=1e-5)
    assert classifier.probabilities([]).shape == (0, len(classifier.bundle.labels))
    with pytest.raises(ValueError, match="text 1 has no character"):
        classifier.probabilities(["a", " "])


SENTENCES = ["A good film!", "slow", "dull, dull PLOT", "The cast isn't funny"]


def explained(predictors: dict[str, Predictor], text: str | list[str]) -> Json:
    (reply,) = predictors["sentiment"].answer([body("sentiment", text, explain=True)])
    assert reply.status == 200
    return reply.body


def test_an_explanation_lists_every_word_with_its_importance(predictors: dict[str, Predictor], bundles: dict[str, Path]) -> None:
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


def test_only_requests_with_explain_get_an_explanation(predictors: dict[str, Predictor]) -> None:
    bodies = [body("sentiment", text, explain=i % 2 == 1) for i, text in enumerate(SENTENCES)]
    replies = [reply.body for reply in predictors["sentiment"].answer(bodies)]
    assert [isinstance(reply, dict) for reply in replies] == [False, True, False, True]
    for text, reply in zip(SENTENCES, replies, strict=True):
        assert_same(reply["labels"] if isinstance(reply, dict) else reply, explained(predictors, text)["labels"])


def test_unknown_words_are_counted_in_the_answer(predictors: dict[str, Predictor]) -> None:
    texts = {"quux 東京": 2, "quux film": 1, "film": None}
    for text, reply in zip(texts, predictors["sentiment"].answer([body("sentiment", text) for text in texts]), strict=True):
        assert [score.get("unknown_words") for score in reply.body] == [texts[text]] * len(reply.body)
        assert all("unknown_characters" not in score for score in reply.body)
    assert all(score["unknown_words"] == 1 for score in explained(predictors, "quux")["labels"])


def test_unexplainable_and_empty_texts_are_refused(predictors: dict[str, Predictor]) -> None:
    (characters,) = predictors["classification"].answer([body("classification", "Rossi", explain=True)])
    assert characters.body["error"]["code"] == "invalid_parameter"
    (marks,) = predictors["sentiment"].answer([body("sentiment", "... !?")])
    assert marks.body["error"] == {"code": "empty_input", "message": "the text has no words"}


def test_bits_equal_those_of_the_graph_run_step_by_step(bundles: dict[str, Path]) -> None:
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


def test_the_same_seed_gives_the_same_names_whatever_their_number(predictors: dict[str, Predictor]) -> None:
    def ask(**parameters: object) -> Json:
        (reply,) = predictors["generation"].answer([{"inputs": "", "parameters": parameters}])
        return reply.body

    three = ask(seed=5, num_return_sequences=3)
    assert ask(seed=5, num_return_sequences=3) == three
    assert ask(seed=5) == three[:1]
    assert ask(seed=5, label=three[0]["label"]) == three[:1]
    assert len({json.dumps(ask(num_return_sequences=16)) for _ in range(3)}) == 3


def test_a_name_keeps_its_beginning_and_its_limits(predictors: dict[str, Predictor], bundles: dict[str, Path]) -> None:
    longest = Bundle.load(bundles["generation"]).max_length
    bodies = [body("generation", "Żo", seed=s, num_return_sequences=16, temperature=5.0) for s in range(3)]
    names = [n["generated_text"] for reply in predictors["generation"].answer(bodies) for n in reply.body]
    assert all(name.startswith("Żo") and len(name) <= longest for name in names)
    (reply,) = predictors["generation"].answer([body("generation", "Ro", max_new_tokens=1, num_return_sequences=16)])
    assert all(len(n["generated_text"]) <= 3 for n in reply.body)


def test_generation_refuses_parameters_beyond_the_bundle(predictors: dict[str, Predictor], bundles: dict[str, Path]) -> None:
    bundle = Bundle.load(bundles["generation"])
    wrong = body("generation", "", label=bundle.labels[0] + "x")
    too_many = body("generation", "", max_new_tokens=bundle.max_length + 1)
    full = body("generation", "a" * bundle.max_length)
    replies = predictors["generation"].answer([wrong, too_many, full])
    assert [r.body["error"]["code"] for r in replies] == ["unknown_label", "invalid_parameter", "input_too_long"]
    assert f'did you mean "{bundle.labels[0]}"?' in replies[0].body["error"]["message"]


def test_temperature_zero_is_deterministic_in_any_batch(bundles: dict[str, Path]) -> None:
    generator = Generator.load(bundles["generation"])
    labels = generator.bundle.labels
    prompts = [
        Prompt(text, labels[limit % 2], Sampling(temperature=0), np.random.default_rng(), limit)
        for text, limit in [("", 3), ("R", 9), ("", 6), ("Ros", 1), ("K", 8), ("Mü", 2)]
    ]
    alone = [generator.generate([prompt])[0] for prompt in prompts]
    assert generator.generate(prompts) == alone
    assert generator.generate(prompts, batch_size=2) == alone


def test_translations_come_with_alternatives_and_attention_on_request(predictors: dict[str, Predictor]) -> None:
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


def test_the_bundle_provides_default_parameters(predictors: dict[str, Predictor], bundles: dict[str, Path]) -> None:
    decoding = Bundle.load(bundles["translation"]).decoding
    assert decoding is not None
    spelled, left, over = predictors["translation"].answer(
        [
            body("translation", "Un homme lit.", **decoding.model_dump()),
            body("translation", "Un homme lit."),
            body("translation", "Un homme lit.", num_return_sequences=decoding.num_beams + 1),
        ]
    )
    assert spelled == left
    assert over.body["error"]["code"] == "invalid_parameter"


def test_the_translators_batch_size_changes_nothing(bundles: dict[str, Path]) -> None:
    translator = Translator.load(bundles["translation"])
    how = Decoding(num_beams=3, no_repeat_ngram_size=2, coverage_penalty=0.2)
    whole = translator.translate(TEXTS, how, n_best=2, attention=True)
    alone = translator.translate(TEXTS, how, n_best=2, attention=True, batch_size=1)
    for a, b in zip(itertools.chain(*whole), itertools.chain(*alone), strict=True):
        assert a.text == b.text
        ((one,), (other,)) = a.sentences, b.sentences
        assert one.alignment is not None
        assert other.alignment is not None
        assert (one.alignment.source, one.alignment.target) == (other.alignment.source, other.alignment.target)
        np.testing.assert_allclose(one.alignment.weights, other.alignment.weights, rtol=1e-3, atol=1e-5)
    assert translator.translate([]) == []


def test_a_text_is_translated_sentence_by_sentence(bundles: dict[str, Path]) -> None:
    translator = Translator.load(bundles["translation"])
    sentences = ["Un chien court.", "Le chat dort !", "UN HOMME LIT."]
    alone = [best for (best,) in translator.translate(sentences)]
    ((whole,),) = translator.translate(["  Un chien court.\n\n- Le chat dort !\tUN HOMME LIT.\n"])
    one, two, three = (best.text for best in alone)
    assert whole.text == f"  {one}\n\n- {two}\t{three}\n"
    assert [sentence.source for sentence in whole.sentences] == sentences
    assert whole.score == pytest.approx(np.mean([best.score for best in alone]), rel=1e-5)


def test_a_texts_best_translations_combine_those_of_its_sentences(bundles: dict[str, Path]) -> None:
    translator = Translator.load(bundles["translation"])
    how, sentences = Decoding(num_beams=3), ["Un chien court.", "Le chat dort !"]
    (found,) = translator.translate([" ".join(sentences)], how, n_best=3)
    each = translator.translate(sentences, how, n_best=3)
    every = sorted(((a.score + b.score) / 2 for a, b in itertools.product(*each)), reverse=True)
    assert [candidate.score for candidate in found] == pytest.approx(every[:3], rel=1e-5)


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ("Un chien court. " * 33, "the text has 33 sentences; this model takes at most 32"),
        (
            "Un chien court. " + "le chat " * 100 + ".",
            "sentence 2 of the text has 20. subwords; this model takes at most 128 in a sentence",
        ),
        ("le chat " * 100, "the text has 20. subwords; this model takes at most 128 in a sentence"),
        ("le chat " * 6000, "the text has 48000 characters; this model takes at most 16384 characters and 4096 subwords"),
        (["Le chat dort. " * 30] * 64, "the texts have more than 8192 subwords; send them in several requests"),
        (" \n\u200b", "the text has no sentences"),
    ],
)
def test_a_text_over_a_limit_is_refused_as_a_whole(predictors: dict[str, Predictor], inputs: str | list[str], said: str) -> None:
    (reply,) = predictors["translation"].answer([body("translation", inputs)])
    assert reply.status == 400
    assert reply.body["error"]["code"] == ("empty_input" if "no sentences" in said else "input_too_long")
    assert re.fullmatch(said, reply.body["error"]["message"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_far_over_the_limit_is_refused_without_being_read(
    predictors: dict[str, Predictor], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(text: str) -> NoReturn:
        raise AssertionError(f"{len(text)} characters are read")

    for module in ("characters", "subwords", "words"):
        monkeypatch.setattr(f"models.text.{module}.normalize", fail)
    (reply,) = predictors[kind].answer([body(kind, "e\u0316\u0301" * 85_000)])
    assert (reply.status, reply.body["error"]["code"]) == (400, "input_too_long")


def test_sentences_are_returned_on_request(predictors: dict[str, Predictor]) -> None:
    asks: tuple[dict[str, object], ...] = (
        {},
        {"sentences": True},
        {"attention": True},
        {"sentences": True, "num_return_sequences": 2, "num_beams": 2},
    )
    requests = [body("translation", "Un chien court.\nLe chat dort !", **parameters) for parameters in asks]
    plain, shown, attentive, several = (reply.body[0] for reply in predictors["translation"].answer(requests))
    assert "sentences" not in plain
    assert [s["source_text"] for s in shown["sentences"]] == ["Un chien court.", "Le chat dort !"]
    assert "\n".join(s["translation_text"] for s in shown["sentences"]) == shown["translation_text"] == plain["translation_text"]
    assert "attention" not in attentive
    for sentence in attentive["sentences"]:
        assert len(sentence["attention"]["weights"]) == len(sentence["attention"]["target"])
    assert len(several["alternatives"][0]["sentences"]) == 2


def test_capitals_are_translated_in_usual_case_and_restored(bundles: dict[str, Path]) -> None:
    translator = Translator.load(bundles["translation"])
    texts = ["Un chien court dans l'herbe", "UN CHIEN COURT DANS L'HERBE", "Un Chien Court Dans L'herbe", "Un CHIEN court"]
    (usual,), (capitals,), (title,), (mixed,) = translator.translate(texts)
    assert capitals.text == usual.text.upper()
    assert title.text.lower() == usual.text.lower()
    assert all(word[0] == word[0].upper() for word in title.text.split())
    assert mixed.score == translator.translate(texts[3:])[0][0].score


def test_several_cores_give_the_same_translations(bundles: dict[str, Path]) -> None:
    one, three = (Translator.load(bundles["translation"], threads=threads) for threads in (1, 3))
    texts = TEXTS * 3
    assert three.translate(texts, batch_size=2) == one.translate(texts, batch_size=2)


def test_the_bundles_temperature_divides_the_logits(bundles: dict[str, Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(bundles["classification"], tmp_path / "cooled"))
    plain = Bundle.load(folder)
    described = plain.model_dump(include={"task", "kind", "max_length", "labels"})
    Bundle.write(folder, **described, temperature=plain.temperature * 2)
    sharp, cooled = (Classifier.load(where).probabilities(TEXTS) for where in (bundles["classification"], folder))
    expected = np.sqrt(sharp)
    np.testing.assert_allclose(cooled, expected / expected.sum(axis=1, keepdims=True), rtol=1e-5)


def test_only_classifiers_have_a_temperature(bundles: dict[str, Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(bundles["generation"], tmp_path / "names"))
    described = Bundle.load(folder).model_dump(include={"task", "kind", "max_length", "labels"})
    with pytest.raises(BundleError, match="temperature"):
        Bundle.write(folder, **described, temperature=2.0)
