"""Turns a user's text into blocks for word vectors: a corpus, each method, and their comparison and serving."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from string import Template
from tempfile import TemporaryDirectory
from typing import Final

import yaml

from models.text.vectors import VOCABULARY
from models.text.words import WordVocabulary
from pipelines.data.corpora.sentences import sentences_of
from pipelines.data.corpora.words import prepare_words
from pipelines.data.splitting.sides import SPACELESS
from pipelines.new.blocks import with_block, with_data_set, with_entry
from pipelines.new.collecting import Collected, collect
from pipelines.new.sizes import quoted
from pipelines.new.telling import told_texts
from pipelines.new.wish import Made, Wish
from pipelines.paths import PARAMS
from pipelines.settings.corpora import WordsPrepare
from pipelines.settings.errors import closest
from pipelines.settings.params import Params, checked
from pipelines.settings.section import NONE
from pipelines.settings.vectors import ROLES
from pipelines.stage import StageError

TEMPLATES: Final = Path(__file__).with_name("templates")
STREAM: Final = "-stream"  # suffix of the name of a corpus that is one stream
METHODS: Final = sorted(path.stem for path in TEMPLATES.glob("methods/*.yaml"))
FAST: Final = ("skip_gram", "cbow", "fasttext", "glove")  # methods that train on all cores without torch
SEEN: Final = 5_000_000  # enough training words for a method, over all passes
FEWEST, MOST = 5, 50  # passes
LARGE: Final = 200_000  # words of running text
NEIGHBOURS, FREQUENT, IN_CONTEXT = 10, 40, 3  # numbers of words to show
ENDINGS: Final = ("ish", "s", "x")


def make_vectors(wish: Wish, text: str, catalogue: str) -> Made:
    """Inspect the text, choose sizes, and count its words once as a test. Writes nothing.

    Args:
        wish: the user's request.
        text: params.yaml.
        catalogue: data/catalogue.yaml.

    Raises:
        StageError: a method is unknown, or none can be served; the text has too few words, or no spaces between them.
    """
    methods = wish.methods or FAST
    for method in methods:
        if method not in METHODS:
            raise StageError(f"there is no method {method!r}{closest(method, METHODS)}")
    if not {*methods} & {*ROLES["known"], *ROLES["unknown"]}:
        raise StageError(f"{', '.join(methods)} cannot answer questions about words; add another --method")
    with TemporaryDirectory(prefix="seqline-") as scratch:
        raw, prepared = Path(scratch) / "raw", Path(scratch) / "prepared"
        raw.mkdir()
        data = collect(wish, ("text",), raw)
        tokens = _tokens(data)
        rules = WordsPrepare(min_count=5 if tokens > LARGE else 2, limit=0)
        texts = (row.text for source in data.sources for row in source.rows(raw))
        statistics = prepare_words(sentences_of(texts), rules, prepared)
        vocabulary = WordVocabulary.load(prepared / VOCABULARY)
    values = _sizes(tokens, vocabulary, rules) | _shown(vocabulary, methods) | _roles(wish.name, methods)
    values |= {"vectors": wish.name, "title": f"word vectors of {', '.join(Path(place).name for place in wish.data)}"}
    finished = _written(with_data_set(text, wish.name), wish.name, methods, values)
    checked(yaml.safe_load(finished), Params, str(PARAMS))
    return Made(finished, with_entry(catalogue, wish.name, data.entry), list(told_texts(data.facts, statistics)))


def _tokens(data: Collected) -> int:
    """The estimated number of words. Raises StageError for a text without spaces between words."""
    sample = " ".join(row.text for row in data.facts.sample)
    if len(SPACELESS.findall(sample)) > 0.2 * len(sample):
        raise StageError("the text has no spaces between words; segment it first, with a space between words")
    return round(len(sample.split()) * data.facts.rows / max(len(data.facts.sample), 1))


def _sizes(tokens: int, vocabulary: WordVocabulary, rules: WordsPrepare) -> dict[str, str]:
    epochs = min(max(SEEN // max(tokens, 1), FEWEST), MOST)
    large = tokens > LARGE
    return {
        "min_count": str(rules.min_count),
        "why_count": f"rarer words are left out; 5 for texts of more than {LARGE:,} words, 2 for others",
        "dimension": "100" if large else "50",
        "why_dimension": f"100 for texts of more than {LARGE:,} words, 50 for others",
        "epochs": str(epochs),
        "epochs_of_pairs": str(max(epochs, 10)),
        "why_epochs": f"about {tokens * epochs:,} words in all",
        "buckets": str(min(200_000, 20 * len(vocabulary))),
        "why_buckets": "rows of the table of n-grams: 20 for each word, at most 200,000",
        "train_words": str(tokens * 8 // 10),
        "valid_words": str(tokens // 10),
    }


def _shown(vocabulary: WordVocabulary, methods: Iterable[str]) -> dict[str, str]:
    """Words to show: frequent ones that are likely to be content words."""
    frequent = [word for word in islice(vocabulary.words, 1000) if len(word) >= 5 and word.isalpha()] or list(vocabulary.words)
    longest = max(frequent[:FREQUENT], key=len)
    unseen = next(word for ending in ENDINGS if (word := longest + ending) not in vocabulary)
    return {
        "neighbours_of": quoted(frequent[:NEIGHBOURS]),
        "frequent": quoted(frequent[:FREQUENT]),
        "contexts_of": quoted(frequent[:IN_CONTEXT] if "elmo" in methods else []),
        "words": quoted((frequent * 2)[:2]),
        "unseen": quoted([unseen])[1:-1],
    }


def _roles(name: str, methods: Sequence[str]) -> dict[str, str]:
    """The method for each type of question: the first one in ROLES that is trained."""
    chosen = {role: next((method for method in able if method in methods), None) for role, able in ROLES.items()}
    return {role: NONE if method is None else f"{name}/{block_name(name, method)}" for role, method in chosen.items()}


def block_name(name: str, method: str) -> str:
    """The name of a method's block."""
    return f"{name}-{method.replace('_', '-')}"


def _written(text: str, name: str, methods: Iterable[str], values: Mapping[str, str]) -> str:
    """params.yaml with all blocks."""
    wanted = [("corpora", name, "sentences.yaml")]
    if "ngram_lm" in methods:
        wanted.append(("corpora", f"{name}{STREAM}", "stream.yaml"))
    wanted += [("methods", block_name(name, method), f"methods/{method}.yaml") for method in methods]
    for section, block, file in [*wanted, ("vectors", name, "vectors.yaml")]:
        template = Template((TEMPLATES / file).read_text(encoding="utf-8"))
        text = with_block(text, section, block, template.substitute(values))
    return text
