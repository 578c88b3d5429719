"""Saves and loads a contextual model, the embed stage's output besides the words' vectors."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_model, save_model

from models.embeddings.elmo import ELMo
from models.text.characters import CharacterTokenizer
from models.text.special import SPECIAL_TOKENS
from models.text.spelling import Speller
from models.text.vectors import PROVENANCE, VOCABULARY
from models.text.words import WordVocabulary
from pipelines.settings.vectors import ElmoVectors

WORDS_AT_ONCE = 1024  # batch size for computing words' vectors
WEIGHTS, CHARACTERS = "model.safetensors", "characters.json"


@dataclass(frozen=True)
class Contextual:
    """A trained model and its speller; `load` reads what `save` writes.

    Args:
        model: its table of spellings is that of the vocabulary.
        speller: converts words to character ids.
    """

    model: ELMo
    speller: Speller

    @classmethod
    def build(cls, settings: ElmoVectors, vocabulary: WordVocabulary, characters: CharacterTokenizer) -> "Contextual":
        """Create a model with random weights."""
        sizes = settings.model.model_dump(exclude={"longest_word"})
        speller = Speller(characters, settings.model.longest_word + 2)
        spellings = torch.from_numpy(speller.table(vocabulary.words))
        targets = len(SPECIAL_TOKENS) + len(vocabulary)
        return cls(ELMo(spellings=spellings, targets=targets, characters=characters.size, **sizes), speller)

    def save(self, folder: Path) -> None:
        """Write weights and characters into the folder of the vectors."""
        save_model(self.model, str(folder / WEIGHTS))
        self.speller.characters.save(folder / CHARACTERS)

    @classmethod
    def load(cls, folder: Path) -> "Contextual":
        """Read the embed stage's output; the model's sizes come from the settings in the vectors' provenance."""
        settings = ElmoVectors.model_validate(json.loads((folder / PROVENANCE).read_text(encoding="utf-8"))["settings"])
        characters = CharacterTokenizer.load(folder / CHARACTERS)
        made = cls.build(settings, WordVocabulary.load(folder / VOCABULARY), characters)
        load_model(made.model, folder / WEIGHTS)
        return made

    @torch.no_grad()
    def words(self) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        """Context-independent vectors of the vocabulary's words, from their characters only, [V, d]."""
        spellings = self.model.eval().spellings[len(SPECIAL_TOKENS) :]
        return torch.cat([self.model.words(part) for part in torch.split(spellings, WORDS_AT_ONCE)]).numpy()
