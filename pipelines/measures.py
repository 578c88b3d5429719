"""The lines of the pages' tables: which figures there are, and what they are called."""

from dataclasses import dataclass

# What the proof of an exported model compares.
COMPARED = {"surname": "logits", "names": "logits", "fr-en": "scores of translations", "sentiment": "logits"}
BENCHMARKS = (
    "pipeline",
    "embeddings",
    "contextual",
    "recurrent",
    "translation",
    "serving",
    "containers",
)  # files of benchmarks/results


@dataclass(frozen=True)
class Measure:
    """A line of the table.

    Attributes:
        source: the task, or one of BENCHMARKS.
        key: the figure's name in the source's file.
        label: what it is.
        form: its format.
        baseline: the baseline's key in the same file, if there is one.
        by: who or what the baseline is.
    """

    source: str
    key: str
    label: str
    form: str
    baseline: str = ""
    by: str = ""


TABLE = (
    Measure("surname", "macro_f1", "macro-F1", ".3f", "baseline_macro_f1", "logistic regression on character n-grams"),
    Measure("surname", "accuracy", "accuracy", ".3f", "baseline_accuracy", "logistic regression on character n-grams"),
    Measure("surname", "accuracy_ceiling", "best possible accuracy: some names occur in several languages", ".3f"),
    Measure("surname", "ece", "expected calibration error", ".3f", "uncalibrated_ece", "without temperature scaling"),
    Measure("surname", "same_without_accents", "share of names with accents whose answer stays without them", ".3f"),
    Measure("surname", "shuffled_accuracy", "accuracy on shuffled letters", ".3f", "length_accuracy", "by length alone"),
    Measure("names", "bits_per_char", "bits per character", ".3f", "baseline_bits_per_char", "interpolated character 5-grams"),
    Measure("names", "novel_share", "share of samples that are not in the training data", ".1%"),
    Measure("names", "unique_share", "share of samples that are distinct", ".1%"),
    Measure("names", "nearest_distance", "edits from a novel sample to the nearest training name, mean", ".2f"),
    Measure("names", "label_agreement", "share of novel samples that the classifier takes for the nationality asked for", ".1%"),
    Measure("fr-en", "bleu", "BLEU, beam search", ".1f", "copy_bleu", "copying the source"),
    Measure("fr-en", "greedy_bleu", "BLEU, greedy search", ".1f"),
    Measure("fr-en", "chrf", "chrF, beam search", ".1f", "copy_chrf", "copying the source"),
    Measure(
        "fr-en",
        "test_2017_flickr_bleu",
        "BLEU on Multi30k's test set of 2017",
        ".1f",
        "test_2017_flickr_copy_bleu",
        "copying the source",
    ),
    Measure(
        "fr-en",
        "test_2017_flickr_chrf",
        "chrF on Multi30k's test set of 2017",
        ".1f",
        "test_2017_flickr_copy_chrf",
        "copying the source",
    ),
    Measure("sentiment", "macro_f1", "macro-F1", ".3f", "tfidf_macro_f1", "logistic regression on words and pairs of words"),
    Measure("sentiment", "accuracy", "accuracy", ".3f", "averaged_accuracy", "logistic regression on averaged GloVe vectors"),
    Measure("sentiment", "rater_agreement", "share of reviews whose critic and other raters agree", ".3f"),
    Measure("sentiment", "ece", "expected calibration error", ".3f", "uncalibrated_ece", "without temperature scaling"),
    Measure("sentiment", "out_of_vocabulary", "share of words without a vector", ".2%"),
    *(
        Measure(task, "onnx_max_abs_error", f"largest difference of ONNX from torch, {compared}", ".1e")
        for task, compared in COMPARED.items()
    ),
    Measure("pipeline", "repro_cold_s", "`make repro` in a fresh clone, installation included, seconds", ".0f"),
    Measure("pipeline", "repro_noop_s", "`make repro` again, nothing changed, seconds", ".1f"),
    Measure("pipeline", "test_s", "`make test`, seconds", ".0f"),
)


VECTOR_FIGURES = (
    *(
        Measure("embeddings", f"{key}_ratio_{threads}t", f"{name}: words a second over gensim's, threads: {threads}", ".1f")
        for key, name, threads in (("skipgram", "skip-gram", 1), ("skipgram", "skip-gram", 2), ("cbow", "CBOW", 2))
    ),
    Measure("embeddings", "fasttext_ratio_2t", "fastText: words a second over gensim's, threads: 2", ".1f"),
    Measure("embeddings", "skipgram_rho", "skip-gram: WordSim-353, mean of 3 seeds", ".3f", "gensim_skipgram_rho", "gensim"),
    Measure(
        "embeddings",
        "skipgram_analogy_percent",
        "skip-gram: analogies, %, mean of 3 seeds",
        ".1f",
        "gensim_skipgram_analogy_percent",
        "gensim",
    ),
    Measure("embeddings", "memory_ratio_10x", "skip-gram: memory with ten times the text, ratio", ".2f"),
    Measure("embeddings", "glove_load_s", "400,000 vectors: to the first answer, seconds", ".2f"),
    Measure("embeddings", "analogies_s", "400,000 vectors: all analogies, seconds", ".1f"),
    Measure(
        "embeddings",
        "ngram_perplexity",
        "n-gram model mixed with counted 5-grams: perplexity on Brown",
        ".0f",
        "kneser_ney_perplexity",
        "modified Kneser-Ney 5-grams",
    ),
    Measure("embeddings", "ngram_alone_perplexity", "n-gram model alone: perplexity on Brown", ".0f"),
    Measure("embeddings", "ngram_direct_perplexity", "n-gram model with direct connections, mixed: perplexity on Brown", ".0f"),
    Measure("contextual", "elmo_macro_f1", "sentiment from GloVe and ELMo: macro-F1", ".3f", "glove_macro_f1", "GloVe alone"),
    Measure("contextual", "gain_macro_f1", "sentiment: gain by ELMo, mean of 5 seeds", ".3f"),
    Measure("contextual", "gain_macro_f1_low", "sentiment: gain by ELMo, lower end of the 95 % interval", ".3f"),
)


RECURRENT_FIGURES = (
    Measure(
        "recurrent",
        "surname_macro_f1",
        "surnames, best network: macro-F1, mean of 5 seeds",
        ".3f",
        "surname_baseline_macro_f1",
        "logistic regression on character n-grams",
    ),
    Measure("recurrent", "surname_f1_minus_baseline", "surnames, best network: macro-F1 over the baseline's", ".3f"),
    Measure("recurrent", "surname_f1_minus_baseline_low", "the same, lower end of the 95 % interval", ".3f"),
    Measure(
        "recurrent",
        "names18_macro_f1",
        "surnames of 18 languages: macro-F1",
        ".3f",
        "names18_baseline_macro_f1",
        "logistic regression on character n-grams",
    ),
    Measure(
        "recurrent",
        "makemore_nats_per_char",
        "makemore's names: nats per character",
        ".3f",
        "makemore_baseline_nats_per_char",
        "interpolated character 5-grams",
    ),
    *(
        Measure(
            "recurrent",
            f"{task}200_solved_{cell}",
            f"{title}, T = 200: seeds that solve it, {cell.upper()}",
            ".0%",
            f"{task}200_solved_rnn",
            "vanilla RNN",
        )
        for task, title in (("adding", "adding problem"), ("copy", "delayed copy"))
        for cell in ("lstm", "gru")
    ),
    Measure(
        "recurrent",
        "sst2_accuracy",
        "SST-2: accuracy, %, mean of 5 seeds",
        ".1f",
        "sst2_tfidf_accuracy",
        "logistic regression on words and pairs of words",
    ),
    Measure("recurrent", "train_over_bare_loop", "training: examples a second over a bare loop's", ".2f"),
    Measure("recurrent", "lstm_int8_mib", "sentiment's LSTM in int8: MiB", ".1f", "lstm_float32_mib", "float32"),
    Measure("recurrent", "lstm_int8_ms", "sentiment's LSTM in int8: ms a sentence", ".2f", "lstm_float32_ms", "float32"),
    Measure(
        "recurrent",
        "lstm_int8_accuracy_percent",
        "sentiment's LSTM in int8: accuracy, %",
        ".2f",
        "lstm_float32_accuracy_percent",
        "float32",
    ),
    Measure("recurrent", "stages_s", "`make repro`: seconds of the stages of surname, names and sentiment", ".0f"),
)


TRANSLATION_FIGURES = (
    Measure("translation", "train_over_joeynmt", "training: target subwords a second over Joey NMT's", ".1f"),
    Measure("translation", "train_over_joeynmt_fp32", "the same with ours, too, in float32 throughout", ".1f"),
    Measure("translation", "decode_over_joeynmt", "beam search of 5, ours in int8: sentences a second over Joey NMT's", ".1f"),
    Measure("translation", "gpu_tokens_per_s", "training on one GPU, Multi30k: target subwords a second", ".0f"),
    Measure("translation", "gpu_busy", "the same: share of the GPU's time in kernels, over a short epoch and its start", ".0%"),
    Measure("translation", "sentence_p50_ms", "one sentence, one core, beam search of 5: ms, median", ".1f"),
    Measure("translation", "cpu_difference", "served graphs on an emulated CPU of 2013: largest difference of an output", ".1g"),
    Measure("translation", "debian_bleu", "Debian's descriptions: BLEU", ".1f", "debian_bleu_joeynmt", "Joey NMT"),
    Measure("translation", "multi30k_2016_bleu", "Multi30k, test set of 2016: BLEU", ".1f"),
    Measure("translation", "multi30k_2017_bleu", "Multi30k, test set of 2017: BLEU", ".1f"),
    Measure("translation", "default_everyday_bleu", "Tatoeba, 1,000 held-out pairs, the default model: BLEU", ".1f"),
    Measure("translation", "everyday_bleu", "Tatoeba, held-out groups, the profile `everyday`: BLEU", ".1f"),
    Measure("translation", "everyday_s", "the same: seconds from download to evaluation", ".0f"),
    Measure(
        "translation",
        "attention_bleu_long",
        "sources of more than 25 subwords: BLEU with the best attention",
        ".1f",
        "fixed_bleu_long",
        "a fixed vector",
    ),
    Measure("translation", "attention_gain_long", "the same: gain by the attention", ".1f"),
    Measure("translation", "attention_gain_long_low", "the same, lower end of the 95 % interval", ".1f"),
    Measure("translation", "stages_s", "`make repro`: seconds of the stages of fr-en", ".0f"),
)

CONTAINERS_FIGURES = (
    Measure("containers", "serve_image_mb", "the image that serves, on CPUs: MB", ".0f"),
    Measure("containers", "compose_ready_s", "`docker compose up` of built images until everything is healthy: seconds", ".0f"),
    Measure("containers", "two_workers_over_one", "training, two workers of one core over one of two: subwords a second", ".2f"),
    Measure("containers", "jobs2_speedup", "`make repro JOBS=2` over `JOBS=1`, three trainings on two cores", ".2f"),
    Measure("containers", "lost", "runs, metrics and models lost when MLflow, its database or the server was killed", ".0f"),
)
SERVING_FIGURES = (
    Measure("serving", "ready_s", "start to all models ready: seconds", ".1f"),
    Measure("serving", "server_rss_mb", "memory of all processes, five models: MiB", ".0f"),
    Measure("serving", "overhead_p50_ms", "TorchServe's cost, one client: ms, median", ".1f"),
    Measure(
        "serving",
        "classification_over_trivial",
        "surnames a second, 16 clients, over those of a handler that does nothing",
        ".2f",
    ),
    Measure("serving", "translation_served_over_engine", "translations a second, 16 clients, over the engine's own", ".2f"),
    Measure("serving", "soak_5xx", "ten minutes of mixed traffic at 70 % of capacity: failed requests", ".0f"),
    Measure("serving", "soak_p99_over_p50", "the same: slowest hundredth over the middle, of the model where it is worst", ".1f"),
    Measure("serving", "soak_memory_growth", "the same: growth of memory after the first minute", ".1%"),
    Measure("serving", "kill_failed", "a worker killed 20 times under load: failed requests", ".0f"),
    Measure("serving", "kill_recovery_s", "the same: longest time until the next one answered, seconds", ".1f"),
    Measure("serving", "deploy_failed", "another version and back under load: failed requests", ".0f"),
    Measure("serving", "rotation_failed", "ten new keys under load: failed requests", ".0f"),
    Measure(
        "serving", "overload_reject_ms", "three times what the translator takes: slowest hundredth of the refusals, ms", ".0f"
    ),
    Measure("serving", "overload_p99_ratio", "the same: slowest hundredth of the answers, over that at capacity", ".1f"),
    Measure("serving", "fuzz_requests", "strange requests", ".0f"),
    Measure("serving", "fuzz_5xx", "the same: answers of 5xx", ".0f"),
    Measure("serving", "fuzz_hangs", "the same: without an answer", ".0f"),
    Measure("serving", "fuzz_leaks", "the same: answers that tell of the server's inside", ".0f"),
)

# What one replica of the server takes and gives, for docker/SCALING.md, and then what training does.
REPLICA_FIGURES = (
    Measure("serving", "classification_s", "surnames a second, 16 clients", ".0f"),
    Measure("serving", "translation_s", "translations a second, 16 clients, beam search of 5", ".0f"),
    Measure("serving", "soak_requests_s", "mixed traffic through the proxy, at 70 % of capacity: requests a second", ".0f"),
    Measure("serving", "soak_surname_p99_ms", "the same: slowest hundredth of the surnames, ms", ".0f"),
    Measure("serving", "soak_fr-en_p99_ms", "the same: slowest hundredth of the translations, ms", ".0f"),
    Measure("serving", "server_rss_mb", "memory of all processes, a worker for each of five models: MiB", ".0f"),
    *(
        Measure("serving", f"rss_mb_{model}", f"memory of a worker of {model}: MiB", ".0f")
        for model in ("surname", "names", "fr-en", "sentiment", "vectors")
    ),
    Measure("serving", "ready_s", "start to all models ready: seconds", ".1f"),
    Measure("containers", "serve_image_mb", "the image, on CPUs: MB", ".0f"),
)

TRAINING_FIGURES = (
    Measure("pipeline", "repro_cold_s", "`make repro` in a fresh clone, installation included: seconds", ".0f"),
    Measure("pipeline", "train@fr-en_s", "of these the longest stage, the translator's training", ".0f"),
    Measure("pipeline", "train@fr-en_peak_mib", "the same: most memory, MiB", ".0f"),
    Measure("translation", "train_tokens_s", "training the translator on CPUs: target subwords a second", ".0f"),
    Measure("translation", "gpu_tokens_per_s", "the same on one GPU", ".0f"),
    Measure("translation", "gpu_busy", "the same: share of the GPU's time in kernels, over a short epoch and its start", ".0%"),
    Measure("embeddings", "skipgram_words_per_s_1t", "training skip-gram, one thread: words a second", ".0f"),
    Measure("embeddings", "skipgram_words_per_s_2t", "the same, two threads", ".0f"),
    Measure("embeddings", "memory_ratio_10x", "the same: memory with ten times the text, ratio", ".2f"),
    Measure("containers", "two_workers_over_one", "training by two workers of Ray, over one on the same cores", ".2f"),
    Measure("containers", "jobs2_speedup", "`make repro JOBS=2` over `JOBS=1`, stages of a matrix", ".1f"),
    Measure("containers", "gpu_over_cpu_multi30k", "the translator on Multi30k, one GPU over 2 cores", ".1f"),
    Measure("containers", "gpu_over_cpu_skipgram", "skip-gram, one GPU over 2 cores", ".1f"),
)

# Folders of the pipeline by what they hold.
STORAGE = {
    "data as it came": ("data/raw/",),
    "prepared data": ("data/prepared/",),
    "vectors, weights and exported models": ("build/vectors/", "build/weights/", "build/bundles/"),
    "archives, which each replica of the server has": ("build/model-store/",),
}
