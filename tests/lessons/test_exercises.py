"""The exercises: each answer is what its code prints, on no page but the solutions', and the command accepts it alone."""

import re
import runpy
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from lesson_files import ROOT

from lessons.exercises import check

PAGES, SNIPPETS = ROOT / "docs" / "exercises", ROOT / "lessons" / "exercises" / "snippets"
EXERCISES = check.exercises()
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]\d+)?")
Claim = Callable[[list[float]], bool]


def leading(place: int, factor: float) -> Claim:
    """That one of the numbers is so many times as large as any other."""
    return lambda x: x[place] > factor * max(x[:place] + x[place + 1 :])


def of_two(yes: Callable[[float], bool], no: Callable[[float], bool]) -> dict[str, Claim]:
    """The first of two things, the second, both, neither."""
    return {
        "a": lambda x: yes(x[0]) and no(x[1]),
        "b": lambda x: no(x[0]) and yes(x[1]),
        "c": lambda x: yes(x[0]) and yes(x[1]),
        "d": lambda x: no(x[0]) and no(x[1]),
    }


# What each choice claims of the numbers that the code prints last. CPUs differ in the last digits, so claims leave a gap.
CHOICES: Mapping[str, Mapping[str, Claim]] = {
    "embeddings-2": {"a": lambda x: x[-1] > 50, "b": lambda x: 5 < x[-1] < 20, "c": lambda x: x[-1] < 2},
    "embeddings-4": {"a": lambda x: x[0] > 2 * x[1], "b": lambda x: x[1] > 2 * x[0], "c": lambda x: 0.9 < x[0] / x[1] < 1.1},
    "embeddings-5": {letter: leading(place, 1.2) for place, letter in enumerate("abc")},
    "rnn-3": of_two(lambda angle: abs(angle) > 5, lambda angle: abs(angle) < 0.05),
    "rnn-4": of_two(lambda difference: difference > 0.05, lambda difference: difference < 1e-4),
    "gates-3": {"a": leading(0, 1e3), "b": leading(1, 1e3), "c": leading(2, 1e3), "d": lambda x: max(x) < 10 * min(x)},
    "gates-4": {"a": lambda x: abs(x[-1] - 0.4) < 0.05, "b": lambda x: x[-1] > 0.9, "c": lambda x: x[-1] < 0.1},
    "attention-2": {"a": lambda x: x[0] < 0.15, "b": lambda x: 0.2 < x[0] < 0.5, "c": lambda x: x[0] > 0.8},
    "attention-3": {
        "a": lambda x: min(x) > 0.1,
        "b": lambda x: x[0] > 0.1 and x[1] < 0.001,
        "c": lambda x: x[0] < 0.001 and x[1] > 0.1,
    },
    "attention-4": {"a": lambda x: x[-1] > 7, "b": lambda x: x[-1] == 1, "c": lambda x: x[-1] < 0.2},
    "translation-2": {
        "a": lambda x: x[0] == x[2] == 5,
        "b": lambda x: x[0] == x[2] == 0,
        "c": lambda x: (x[0], x[2]) == (0, 5),
        "d": lambda x: (x[0], x[2]) == (5, 0),
    },
    "translation-4": {
        "a": lambda x: x[1] > x[3] > x[5] and x[5] < 0.01,
        "b": lambda x: x[1] > x[3] + 0.2 and x[5] > x[3] + 0.2,
        "c": lambda x: x[1] < x[3] < x[5],
        "d": lambda x: max(x[1::2]) < min(x[1::2]) + 0.01,
    },
}
every_exercise = pytest.mark.parametrize("name", EXERCISES)


def sections(path: Path) -> dict[str, str]:
    """The text of each exercise on a page."""
    parts = re.split(r"^## ([a-z]+-\d): .*$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def page_of(name: str) -> Path:
    return PAGES / f"{name.partition('-')[0]}.md"


def module_of(name: str) -> str:
    return name.replace("-", "_")


@pytest.fixture
def computed(name: str, capsys: pytest.CaptureFixture[str]) -> str:
    """The answer, by running the code that the exercise shows."""
    runpy.run_module(f"lessons.exercises.snippets.{module_of(name)}", run_name="__main__")
    printed = [float(number) for number in NUMBER.findall(capsys.readouterr().out.splitlines()[-1])]
    exercise = EXERCISES[name]
    if exercise.kind == "choice":
        true = [letter for letter, claim in CHOICES[name].items() if claim(printed)]
        assert len(true) == 1, f"{printed} makes {true} true"
        assert "".join(CHOICES[name]) == exercise.choices
        return true[0]
    scaled = printed[-1] * 10**exercise.digits
    assert abs(scaled - round(scaled)) < 0.4, f"{printed[-1]} is so near to a rounding edge that CPUs may differ"
    return f"{round(scaled) / 10**exercise.digits:.{exercise.digits}f}"


@every_exercise
def test_the_command_accepts_what_the_code_says_and_nothing_else(name: str, computed: str) -> None:
    assert check.main([name, computed]) == check.RIGHT
    exercise = EXERCISES[name]
    if exercise.kind == "choice":
        wrong = [letter for letter in exercise.choices if letter != computed]
    else:
        wrong = [str(float(computed) + step * 10.0**-exercise.digits) for step in (-2, -1, 1, 2, 10)]
    for answer in wrong:
        assert check.main([name, answer]) == check.WRONG


@every_exercise
def test_the_solution_agrees_and_gives_a_reason(name: str) -> None:
    solution = sections(PAGES / "solutions" / page_of(name).name)[name]
    found = re.search(r"^\*\*Answer: (.+)\*\*$\n\n(.+)", solution, re.MULTILINE | re.DOTALL)
    assert found
    assert check.is_right(EXERCISES[name], found[1])
    assert len(found[2]) > 100


@every_exercise
def test_the_page_shows_the_code_and_the_commands(name: str) -> None:
    text = sections(page_of(name))[name]
    assert f'{{$ code("lessons/exercises/snippets/{module_of(name)}.py") $}}' in text
    assert f"python -m lessons.exercises.snippets.{module_of(name)}\n" in text
    assert f"python lessons/exercises/check.py {name} ANSWER\n" in text
    assert re.findall(r"^- \*\*([a-z])\*\*: ", text, re.MULTILINE) == list(EXERCISES[name].choices)


@every_exercise
def test_no_page_but_the_solutions_has_the_answer(name: str) -> None:
    (answer,) = re.findall(r"Answer: (.+)\*\*", sections(PAGES / "solutions" / page_of(name).name)[name])
    exercise, text = EXERCISES[name], sections(page_of(name))[name]
    if exercise.kind != "choice":
        for place in (text, exercise.hint, exercise.title):
            assert answer not in re.findall(r"(?<![\w.])-?\d+(?:\.\d+)?", place)
    assert not re.search(r"\*\*answer|\bsolution", f"{text} {exercise.hint}", re.IGNORECASE)
    given = re.compile(rf"check\.py {name} {re.escape(answer)}\b")
    for page in (ROOT / "docs").rglob("*.md"):
        assert page.parent.name == "solutions" or not given.search(page.read_text(encoding="utf-8")), page


def test_pages_code_and_answers_are_of_the_same_exercises() -> None:
    assert {path.stem for path in SNIPPETS.glob("*.py")} == {module_of(name) for name in EXERCISES}
    found = {path.stem: list(sections(path)) for path in PAGES.glob("*.md") if path.stem != "index"}
    assert found == {page: [f"{page}-{number}" for number in range(1, 6)] for page in found}
    assert sorted(name for names in found.values() for name in names) == sorted(EXERCISES)


def test_the_solutions_are_linked_from_the_index_alone() -> None:
    for path in PAGES.glob("*.md"):
        linked = re.findall(r"\(solutions/(\w+)\.md\)", path.read_text(encoding="utf-8"))
        assert linked == ([*dict.fromkeys(name.partition("-")[0] for name in EXERCISES)] if path.stem == "index" else [])


def test_equal_answers_have_different_hashes() -> None:
    assert (
        len({exercise.sealed for exercise in EXERCISES.values()}) == len({e.salt for e in EXERCISES.values()}) == len(EXERCISES)
    )


@pytest.mark.parametrize(
    ("name", "written", "meant"),
    [
        ("rnn-3", " (C). ", "c"),
        ("rnn-1", "1,000", "1000"),
        ("rnn-1", "\u22127", "-7"),
        ("gates-2", ".5", "0.50"),
        ("gates-2", "-0", "0.00"),
        ("attention-1", "0,126", "0.13"),
    ],
)
def test_one_answer_in_several_forms(name: str, written: str, meant: str) -> None:
    assert check.normalized(EXERCISES[name], written) == meant


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rnn_33", "b"], "there is no exercise 'rnn_33'; did you mean 'rnn-3'?"),
        (["zebra", "b"], "there is no exercise 'zebra'; --list lists them"),
        (["rnn-3", "e"], "'e' is no answer to rnn-3: it wants one of the letters a, b, c, d"),
        (["rnn-1", "many"], "it wants a whole number"),
        (["rnn-1", "1.5"], "it wants a whole number"),
        (["rnn-1", "inf"], "it wants a whole number"),
        (["gates-2", "nan"], "it wants a number with 2 decimal places"),
        (["rnn-3"], "give an exercise and an answer"),
    ],
)
def test_errors_say_what_to_do(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        check.main(arguments)
    assert stopped.value.code == check.UNUSABLE
    assert said in capsys.readouterr().err


def test_a_wrong_answer_gets_a_hint_and_the_list_names_all(capsys: pytest.CaptureFixture[str]) -> None:
    wrong = next(letter for letter in "ab" if not check.is_right(EXERCISES["rnn-3"], letter))
    assert check.main(["rnn-3", wrong]) == check.WRONG
    assert EXERCISES["rnn-3"].hint in capsys.readouterr().out
    assert check.main(["--list"]) == check.RIGHT
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(EXERCISES)
