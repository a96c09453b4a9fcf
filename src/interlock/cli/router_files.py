"""What `interlock check` says of the files that a router file names: prices and scripts."""

from collections.abc import Mapping

from interlock.config import RouterFile
from interlock.domain.errors import ConfigurationError
from interlock.models.prices.overrides import overrides
from interlock.models.scripted import script


def read_through(file: RouterFile) -> None:
    """Return if the prices and scripts of `file` can be used. Raises ConfigurationError, naming the file."""
    if file.prices:
        _, problems = overrides(file.prices, str(file.prices_path or "prices"))
        if problems:
            raise ConfigurationError("The prices file has problems", problems=problems)
    for provider in file.providers:
        said = provider.script
        rules = said.get("rules") if isinstance(said, Mapping) else said
        if provider.script_path is None or not isinstance(rules, list):
            continue
        try:
            script(rules)
        except ConfigurationError as error:
            raise ConfigurationError(f"{provider.script_path}: {error.what}", why=error.why, do=error.do) from None
