"""From what a classifying model said to the tier that it meant."""

import re

from interlock.domain.routes import Classifier

_WORD = re.compile(r"[\w-]+")


def classified(classifier: Classifier, answer: str) -> str:
    """Return the tier that `answer` names, or `on_failure` unless exactly one of the choices stands in it as a word."""
    words = set(_WORD.findall(answer[:1_000].casefold()))
    named = {tier for choice, tier in classifier.choices if choice.casefold() in words}
    return named.pop() if len(named) == 1 else classifier.on_failure
