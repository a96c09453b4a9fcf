"""Names of people and places, by Microsoft Presidio with the spaCy models that are installed. An extra, and slow."""

import importlib
import threading
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

from interlock.checks.finding import Find
from interlock.domain.errors import ConfigurationError

_KINDS = {"PERSON": "person", "LOCATION": "place", "NRP": "group"}
"""What has no form, and needs a model. All else is found by form, without it."""
_LEAST = 0.5
_PIECE = 100_000
"""Characters that are given to the model at a time."""


class PresidioRecogniser:
    """A recogniser of the redactor. Holds the models in memory; used by one thread at a time."""

    def __init__(self, models: Mapping[str, str] | None = None) -> None:
        """Load `models`, a spaCy model's name or path by language; None takes those that are installed, one of a language.

        Raises ImportError where Presidio is not installed, and ConfigurationError where no model is: nothing is downloaded.
        """
        analyzer = importlib.import_module("presidio_analyzer")
        spacy = importlib.import_module("spacy")
        self._languages = dict(models) if models is not None else _installed(spacy)
        if not self._languages:
            raise ConfigurationError(
                "Presidio has no language model",
                why="redaction.presidio is true, and no spaCy model is installed",
                do="python -m spacy download en_core_web_sm",
            )
        loaded = {language: spacy.load(name) for language, name in self._languages.items()}
        engines = importlib.import_module("presidio_analyzer.nlp_engine")
        # Told of models by their names, Presidio would fetch those that it does not find.
        nlp = engines.SpacyNlpEngine(
            models=[{"lang_code": lang, "model_name": name} for lang, name in self._languages.items()]
        )
        nlp.nlp = loaded
        registry = analyzer.RecognizerRegistry(supported_languages=list(loaded))
        for language in loaded:
            registry.add_recognizer(
                analyzer.predefined_recognizers.SpacyRecognizer(
                    supported_language=language, supported_entities=list(_KINDS)
                )
            )
        self._engine: Any = analyzer.AnalyzerEngine(registry=registry, nlp_engine=nlp, supported_languages=list(loaded))
        self._lock = threading.Lock()

    def finds(self, text: str) -> tuple[Find, ...]:
        """Return the names in `text`, by the model of every language: nobody says in which it is written."""
        return tuple(find for begin, piece in _pieces(text) for find in self._in(piece, begin))

    def _in(self, piece: str, begin: int) -> Iterator[Find]:
        for language in self._languages:
            with self._lock:
                results = self._engine.analyze(piece, language=language, entities=list(_KINDS), score_threshold=_LEAST)
            for one in results:
                yield Find(begin + one.start, begin + one.end, _KINDS[one.entity_type])


def _installed(spacy: ModuleType) -> dict[str, str]:
    names: list[str] = sorted(spacy.util.get_installed_models())
    return {name.partition("_")[0]: name for name in names}


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    begin = 0
    while begin < len(text):
        end = begin + _PIECE
        if end < len(text):
            # Between words, where there is a space at all.
            space = text.rfind(" ", begin, end)
            end = space + 1 if space > begin else end
        yield begin, text[begin:end]
        begin = end
