"""Small data sets like those of users, in files of several formats."""

import csv
from pathlib import Path

import numpy as np


def write_tickets(folder: Path) -> None:
    """Write a CSV file with semicolons, quoted line breaks and five labels."""
    queues = {
        "billing": "the invoice for my {} is wrong",
        "praise": "I love the new {} so much",
        "returns": "I want to send the {} back",
        "sales": "how much does the {} cost today",
        "support": "my {} does not start any more",
    }
    things = [
        f"{color} {thing}"
        for color in ("red", "blue", "old", "large")
        for thing in ("phone", "printer", "lamp", "bike", "kettle")
    ]
    with (folder / "tickets.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(["id", "body", "queue"])
        writer.writerows(
            [f"{q}{i}", f'Hello,\n"{text.format(t)}"; thanks', q] for q, text in queues.items() for i, t in enumerate(things)
        )


def write_zoo(folder: Path) -> None:
    """Write a file of running text."""
    animals = ("lion", "tiger", "bear", "zebra", "giraffe", "elephant")
    lines = (f"The {a} and the {b} eat in their garden. A {a} sleeps.\n" for a in animals for b in animals)
    (folder / "zoo.txt").write_text("".join(lines), encoding="utf-8")


def write_villages(folder: Path) -> None:
    """Write a file with one name per line."""
    (folder / "villages.txt").write_text(
        "".join(
            f"{a}{b}{c}\n"
            for a in ("Ober", "Unter", "Neu", "Alt")
            for b in ("stein", "wald", "bach", "feld")
            for c in "abcdefghij"
        )
    )


def sentences() -> list[tuple[str, str, str]]:
    """Parallel sentences in German, English and Japanese."""
    animals = [
        ("Hund", "dog", "犬"),
        ("Vogel", "bird", "鳥"),
        ("Fisch", "fish", "魚"),
        ("Bär", "bear", "熊"),
        ("Wolf", "wolf", "狼"),
    ]
    places = [
        ("Garten", "garden", "庭"),
        ("Wald", "forest", "森"),
        ("Fluss", "river", "川"),
        ("Haus", "house", "家"),
        ("Park", "park", "公園"),
    ]
    return [
        (
            f"Der {a[0]} Nummer {n} ist heute im {p[0]}.",
            f"The {a[1]} number {n} is in the {p[1]} today.",
            f"{a[2]}の{n}番は今日{p[2]}にいます。",
        )
        for a in animals
        for p in places
        for n in range(6)
    ]


def write_tmx(folder: Path) -> None:
    """Write a TMX file in German and English."""
    unit = '<tu><tuv xml:lang="de"><seg>{}</seg></tuv><tuv xml:lang="en"><seg>{}</seg></tuv></tu>'
    body = "".join(unit.format(german, english) for german, english, _ in sentences())
    (folder / "corpus.tmx").write_text(
        f'<?xml version="1.0" encoding="UTF-8"?><tmx version="1.4"><header/><body>{body}</body></tmx>', encoding="utf-8"
    )


def write_japanese(folder: Path) -> None:
    """Write two parallel files in Japanese and English."""
    for name, side in (("corpus.ja", 2), ("corpus.en", 1)):
        (folder / name).write_text("".join(f"{row[side]}\n" for row in sentences()), encoding="utf-8")


def write_demand(folder: Path, hours: int = 1200) -> None:
    """Write an hourly series with a daily season, a second column that it depends on, and autocorrelated noise."""
    numbers, hour = np.random.default_rng(0), np.arange(hours)
    temperature = 15 + 8 * np.sin(2 * np.pi * (hour - 9) / 24) + 0.1 * np.cumsum(numbers.normal(size=hours))
    noise = np.zeros(hours)
    for i, shock in enumerate(numbers.normal(scale=10, size=hours)):
        noise[i] = shock + 0.7 * noise[i - 1]
    demand = 500 + 80 * np.sin(2 * np.pi * hour / 24) + 30 * np.sin(4 * np.pi * hour / 24) + 2 * temperature + noise
    times = np.datetime64("2022-01-01T00", "s") + hour * np.timedelta64(1, "h")
    with (folder / "demand.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["when", "load", "temperature"])
        writer.writerows(zip(times, demand.round(2), temperature.round(2), strict=True))
