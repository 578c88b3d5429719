"""Small data files for the lessons, so that their tests need no network."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
LESSONS = sorted((ROOT / "lessons").glob("*.py"))

NAMES = {
    "Italian": ["Rossi", "Bianchi", "Ferrari", "Esposito", "Ricci", "Marino", "Greco", "Conti", "Gallo", "Costa"],
    "German": ["Müller", "Schmidt", "Schneider", "Krüger", "Weiß", "Bauer", "Wagner", "Becker", "Hoffmann", "Costa"],
    "Polish": ["Kowalski", "Nowak", "Wiśniewski", "Zieliński", "Kamiński", "Lis", "Wójcik", "Mazur", "Krawczyk", "Wagner"],
}
SENTENCES = [
    ("le chat dort sur la table", "the cat sleeps on the table"),
    ("le chien dort sous la table", "the dog sleeps under the table"),
    ("la porte est fermée", "the door is closed"),
    ("la porte est ouverte", "the door is open"),
    ("supprimer la page", "delete the page"),
    ("supprimer le fichier", "delete the file"),
    ("ouvrir la page", "open the page"),
    ("ouvrir le fichier", "open the file"),
    ("fermer la page", "close the page"),
    ("fermer le fichier", "close the file"),
    ("le fichier n'existe pas", "the file does not exist"),
    ("la page n'existe pas", "the page does not exist"),
]


def write_names(folder: Path) -> Path:
    """A CSV file of surnames; two of them have two languages."""
    path = folder / "names.csv"
    rows = [f"{name},{label}" for label, names in NAMES.items() for name in names]
    path.write_text("\n".join(["name,label", *rows]) + "\n", encoding="utf-8")
    return path


def write_pairs(folder: Path) -> Path:
    """French, a tab, English; numbers make the sentences distinct."""
    path = folder / "pairs.tsv"
    rows = [f"{french} {number}\t{english} {number}" for number in range(6) for french, english in SENTENCES]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def write_reviews(folder: Path) -> Path:
    """Documents, one per line, all different, made of frequent words."""
    path = folder / "reviews.txt"
    things, moods = ("film", "movie", "story", "actor", "scene"), ("good", "bad", "dull", "great", "warm")
    rows = [
        f"the {thing} was {mood} . i saw it {number} times , and the {thing} is {other} . a {mood} {thing} !"
        for number in range(4)
        for thing in things
        for mood in moods
        for other in moods
    ]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def write_sentiment(folder: Path) -> Path:
    """A CSV file of sentences with 1 for positive."""
    path = folder / "sentiment.csv"
    rows = [
        f"the {thing} was {mood} for {number} people,{label}"
        for number in range(12)
        for thing in ("film", "plot", "cast")
        for mood, label in (("good", 1), ("warm", 1), ("bad", 0), ("dull", 0))
    ]
    path.write_text("\n".join(["text,label", *rows]) + "\n", encoding="utf-8")
    return path


def write_vectors(folder: Path) -> Path:
    """Word vectors in the format of GloVe's authors."""
    path = folder / "vectors.txt"
    words = ("the", "film", "plot", "cast", "was", "good", "warm", "bad", "dull", "for", "people")
    rows = [
        " ".join([word, *(f"{(place * 7 + k * 3) % 11 / 10 - 0.5:.2f}" for k in range(8))]) for place, word in enumerate(words)
    ]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def write_similarity(folder: Path) -> Path:
    """Rated pairs of words."""
    path = folder / "similarity.tsv"
    path.write_text("film\tmovie\t9.0\ngood\tgreat\t8.0\nactor\tscene\t4.0\nfilm\tdull\t1.0\n", encoding="utf-8")
    return path


def options_of(lesson: str, folder: Path) -> list[str]:
    """The command-line options with the files that a lesson needs."""
    data = {
        "char_rnn_classification": write_names,
        "char_rnn_generation": write_names,
        "seq2seq_translation": write_pairs,
        "word2vec": write_reviews,
        "glove_embedding": write_reviews,
        "ngram_lm": write_reviews,
        "glove_sentiment": write_sentiment,
    }
    options = ["--data", str(data[lesson](folder))] if lesson in data else []
    if lesson == "glove_sentiment":
        options += ["--vectors", str(write_vectors(folder))]
    if lesson == "glove_embedding":
        options += ["--similarity", str(write_similarity(folder))]
    return options
