"""From the rules in router.yaml to values."""

from collections.abc import Collection

from interlock.config.problems import Findings, echo
from interlock.config.records import Section
from interlock.config.router_names import Names
from interlock.domain.routes import WHOLE, Classifier, RouteRule, Shares, Sticky, When

_WAYS = ("use", "shares", "classifier")


def rules(sections: tuple[Section, ...], names: Names, found: Findings) -> tuple[RouteRule, ...]:
    """Return the rules that `sections`, read by RULE, stand for."""
    made: list[RouteRule] = []
    ids: set[str] = set()
    for section in sections:
        id: str = section.get("id")
        if id in ids:
            found.add(section.at("id"), f"There is another rule '{id}'", "an id of its own for each rule")
        ids.add(id)
        use = _use(section, names, found)
        when = When() if "when" not in section.spots else _when(section.get("when"), names, found)
        if use is not None and when is not None:
            made.append(RouteRule(id, when, use, section.spot.source))
    _refuse_unreachable(made, sections, found)
    return tuple(made)


def _when(said: Section | None, names: Names, found: Findings) -> When | None:
    if said is None:
        return None
    agents = tuple(one.text for one in said.get("agent", ()) if names.agent(one, found))
    low, high = said.get("min_input_tokens"), said.get("max_input_tokens")
    if low is not None and high is not None and low > high:
        found.add(said.at("min_input_tokens"), "The least length is above the greatest, so the rule could never match")
    return When(
        agent=frozenset(agents) if "agent" in said else None,
        labels=tuple((entry.key, frozenset(entry.value)) for entry in said.get("labels", ())),
        words=tuple(word.casefold() for word in said.get("words", ())),
        step=_set(said, "step"),
        tenant=_set(said, "tenant"),
        user=_set(said, "user"),
        model=_set(said, "model"),
        min_input_tokens=low,
        max_input_tokens=high,
        has_tools=said.get("has_tools"),
        images=said.get("images"),
    )


def _set(said: Section, key: str) -> frozenset[str] | None:
    return frozenset(said.get(key)) if key in said else None


def _use(section: Section, names: Names, found: Findings) -> str | Shares | Classifier | None:
    ways = [way for way in _WAYS if way in section.spots]
    if len(ways) != 1:
        found.add(section.spot, "A rule says in exactly one way what is used", "'use', 'shares' or 'classifier'")
        return None
    if "sticky" in section.spots and ways != ["shares"]:
        found.add(section.at("sticky"), "Only shares are sticky", "'shares' beside it")
    if ways[0] not in section:
        return None
    if ways == ["use"]:
        return section.get("use").text if names.target(section.get("use"), found) else None
    return _shares(section, names, found) if ways == ["shares"] else _classifier(section, names, found)


def _shares(section: Section, names: Names, found: Findings) -> Shares | None:
    entries = section.get("shares")
    known = [names.target(entry.key, found) for entry in entries]
    total = sum(entry.value for entry in entries)
    if len(entries) > 1 and total != WHOLE:
        found.add(section.at("shares"), f"The shares add up to {total / 100:g}%", "shares that add up to 100%")
    parts = tuple((entry.key.text, entry.value) for entry in entries)
    return Shares(parts, section.get("sticky", Sticky.RUN)) if all(known) and total == WHOLE else None


def _classifier(section: Section, names: Names, found: Findings) -> Classifier | None:
    said: Section = section.get("classifier")
    choices = said.get("choices")
    known = [names.target(entry.value, found) for entry in choices]
    known += [names.model(said.get("model"), found), names.target(said.get("on_failure"), found)]
    if len({entry.key.casefold() for entry in choices}) != len(choices):
        found.add(said.at("choices"), "Two choices differ only in case", "words that a model cannot confuse")
    if not all(known):
        return None
    return Classifier(
        model=said.get("model").text,
        prompt=said.get("prompt"),
        choices=tuple((entry.key, entry.value.text) for entry in choices),
        on_failure=said.get("on_failure").text,
        max_tokens=said.get("max_tokens", 8),
    )


def _refuse_unreachable(made: Collection[RouteRule], sections: tuple[Section, ...], found: Findings) -> None:
    """A rule after one that always matches is a mistake, not a control."""
    spots = {section.get("id"): section.spot for section in sections}
    always = ""
    for rule in made:
        if always and rule.when.model is None:
            found.add(spots[rule.id], f"The rule '{always}' above matches every call, so this one is never asked")
        elif rule.when == When():
            always = echo(rule.id).strip("'")
