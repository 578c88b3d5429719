"""Truecasing of texts in CAPITALS or Title Case for translation, and restoring the case afterwards."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from models.text.normalize import normalize

WORD = re.compile(r"[^\W_]+")
INITIAL = re.compile(r"[^\W_]")
SHORTEST_TITLE = 3  # words: fewer may be a name

Restore = Callable[[str], str]  # applied to the translation


class Truecaser:
    """Gives words the case that they have most often in running text (Lita et al. 2003, "tRuEcasIng", ACL).

    Args:
        forms: lower-cased word -> its usual form, for words that are not usually in lower case.
    """

    def __init__(self, forms: Mapping[str, str]) -> None:
        self.forms = dict(forms)

    @classmethod
    def learn(cls, texts: Iterable[str]) -> "Truecaser":
        """Count the forms of words. A text's first word is ignored if only its first letter is a capital."""
        counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for text in texts:
            for place, word in enumerate(WORD.findall(normalize(text))):
                if place or word[1:] != word[1:].lower():
                    counts[word.lower()][word] += 1
        usual = {word: max(forms, key=lambda form: (forms[form], form)) for word, forms in counts.items()}
        return cls({word: form for word, form in sorted(usual.items()) if form != word})

    def read(self, text: str) -> tuple[str, Restore]:
        """The text in usual case, and a function that restores its case in a translation. Mixed case is not changed."""
        restore = _restorer(text)
        if restore is _as_it_is:
            return text, restore
        usual = WORD.sub(lambda word: self.forms.get(word[0].lower(), word[0].lower()), text)
        return INITIAL.sub(lambda letter: letter[0].upper(), usual, count=1), restore

    def save(self, path: Path) -> None:
        """Write the forms as JSON."""
        path.write_text(json.dumps(self.forms, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "Truecaser":
        """Read what `save` wrote."""
        return cls(json.loads(path.read_text(encoding="utf-8")))


def _restorer(text: str) -> Restore:
    if sum(map(str.isupper, text)) > 1 and not any(map(str.islower, text)):
        return str.upper
    initials = [initial[0] for word in text.split() if (initial := INITIAL.search(word)) and initial[0].isalpha()]
    return _title if len(initials) >= SHORTEST_TITLE and all(map(str.isupper, initials)) else _as_it_is


def _title(text: str) -> str:
    return " ".join(INITIAL.sub(lambda letter: letter[0].upper(), word, count=1) for word in text.split(" "))


def _as_it_is(text: str) -> str:
    return text
