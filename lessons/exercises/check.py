"""Check an answer to an exercise: `python lessons/exercises/check.py rnn-3 ANSWER`. `--list` lists all exercises.

An answer is the letter of a choice, a whole number, or a decimal number rounded as the exercise says. The right ones are kept as
salted hashes in answers.json: enough to compare with, and nothing to read.

Exit codes: 0 right, 1 wrong, 2 no such exercise or no such form of answer.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

ANSWERS = Path(__file__).with_name("answers.json")
RIGHT, WRONG, UNUSABLE = range(3)


class Exercise(NamedTuple):
    """What is known of an exercise.

    Attributes:
        title: what it is about.
        kind: choice, integer or number.
        choices: the letters of a choice; empty for other kinds.
        digits: decimal places of a number; 0 for other kinds.
        hint: shown after a wrong answer.
        salt: makes equal answers of two exercises differ in their hashes.
        sealed: the hash of the right answer.
    """

    title: str
    kind: str
    choices: str
    digits: int
    hint: str
    salt: str
    sealed: str

    @property
    def form(self) -> str:
        """How an answer has to look."""
        if self.kind == "choice":
            return f"one of the letters {', '.join(self.choices)}"
        if self.kind == "integer":
            return "a whole number"
        return f"a number with {self.digits} decimal place{'s' * (self.digits > 1)}"


def exercises() -> dict[str, Exercise]:
    """Read all exercises, by id, in the order of the sections."""
    return {name: Exercise(**entry) for name, entry in json.loads(ANSWERS.read_text(encoding="utf-8")).items()}


def normalized(exercise: Exercise, answer: str) -> str:
    """Return the one form of an answer that is hashed: "B." becomes "b", "1,000" becomes "1000", ".5" becomes "0.50".

    Raises:
        ValueError: the answer has another form than the exercise asks for.
    """
    text = answer.strip().strip("().").lower() if exercise.kind == "choice" else answer.strip().replace("\u2212", "-")
    if exercise.kind == "choice":
        if len(text) != 1 or text not in exercise.choices:
            raise ValueError(answer)
        return text
    if exercise.kind == "integer":
        number = float(text.replace(",", "").replace("_", "").replace(" ", ""))
        if not number.is_integer():  # False for infinity, too
            raise ValueError(answer)
        return str(int(number))
    number = float(text.replace(",", "."))
    if number in (float("inf"), float("-inf")) or number != number:
        raise ValueError(answer)
    return f"{round(number, exercise.digits) + 0.0:.{exercise.digits}f}"  # + 0.0: no negative zero


def seal(salt: str, answer: str) -> str:
    """Hash a normalized answer."""
    return hashlib.sha256(f"{salt}:{answer}".encode()).hexdigest()


def is_right(exercise: Exercise, answer: str) -> bool:
    """Tell whether an answer is the right one.

    Raises:
        ValueError: see `normalized`.
    """
    return seal(exercise.salt, normalized(exercise, answer)) == exercise.sealed


def unknown(name: str, known: Sequence[str]) -> str:
    """Write the message for an id that does not exist."""
    closest = get_close_matches(name.lower().replace("_", "-"), known, n=1)
    return f"there is no exercise {name!r}; " + (f"did you mean {closest[0]!r}?" if closest else "--list lists them")


def main(arguments: Sequence[str] | None = None) -> int:
    """Check what the command line gives."""
    parser = argparse.ArgumentParser(
        description="Check an answer to an exercise.", epilog="Exit code: 0 right, 1 wrong, 2 error."
    )
    parser.add_argument("exercise", nargs="?", help="its id, such as rnn-3")
    parser.add_argument("answer", nargs="?", help="a letter or a number, as the exercise asks")
    parser.add_argument("--list", action="store_true", help="list the exercises and the form of their answers")
    chosen, known = parser.parse_args(arguments), exercises()
    if chosen.list:
        for name, exercise in known.items():
            print(f"{name:14} {exercise.title} ({exercise.form})")
        return RIGHT
    if chosen.exercise is None or chosen.answer is None:
        parser.error("give an exercise and an answer, as in: rnn-3 ANSWER; --list lists the exercises")
    if chosen.exercise not in known:
        parser.error(unknown(chosen.exercise, list(known)))
    exercise = known[chosen.exercise]
    try:
        right = is_right(exercise, chosen.answer)
    except ValueError:
        parser.error(f"{chosen.answer!r} is no answer to {chosen.exercise}: it wants {exercise.form}")
    print("Right." if right else f"Not right. Hint: {exercise.hint}")
    return RIGHT if right else WRONG


if __name__ == "__main__":
    sys.exit(main())
