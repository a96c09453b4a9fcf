"""From router.yaml to providers and routes: every name resolved, everything that is wrong told at once."""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from interlock.config.problems import Findings
from interlock.config.records import Entry, Section
from interlock.config.router_names import Names
from interlock.config.router_providers import ReadPlain, providers
from interlock.config.router_rules import rules
from interlock.config.router_settings import settings, timeouts
from interlock.config.router_shape import Named
from interlock.config.router_values import ProviderFile, RouterFile
from interlock.domain.canonical import JsonObject, digest
from interlock.domain.ids import AgentId
from interlock.domain.models import Dialect
from interlock.domain.route_settings import Settings, Timeouts
from interlock.domain.routes import AUTO, Choose, DeclaredModel, Routes, Tier


def build(
    file: Section,
    declared: JsonObject,
    path: Path,
    agents: Collection[str] | None,
    read: ReadPlain,
    found: Findings,
) -> RouterFile | None:
    """Return what `file`, read by ROUTER_FILE, declares; None when providers or models were refused as a whole."""
    made = tuple(providers(file.get("providers", ()), path.parent, read, found))
    by_name = {provider.name: provider for provider, _ in made}
    names = Names(
        providers=_keys(declared, "providers"),
        models=_keys(declared, "models"),
        tiers=_keys(declared, "tiers"),
        agents=agents,
    )
    _refuse_ambiguous(file, names, found)
    common = _settings(file, names, found)
    prices, prices_path = _prices(file, path.parent, read, found)
    models = _models(file.get("models", ()), names, by_name, common.timeouts, found)
    _refuse_wrong_kinds(file, models, found)
    routes = Routes(
        models=models,
        version=digest({"router": declared, "prices": prices, "scripts": [one.script for one, _ in made]}),
        tiers={entry.key: _tier(entry, names, found) for entry in file.get("tiers", ())},
        rules=rules(file.get("rules", ()), names, found),
        default=_default(file, names, found),
        settings=common,
        steps=_steps(file, common, names, found),
        allow=_allow(file, names, found),
    )
    files = (path, *(each for _, read_files in made for each in read_files), *([prices_path] if prices_path else []))
    return RouterFile(tuple(by_name.values()), routes, prices, prices_path, files)


def _keys(declared: JsonObject, kind: str) -> tuple[str, ...]:
    """Return the names as written: what is wrong with a model does not make its name unknown elsewhere."""
    said = declared.get(kind)
    return tuple(said) if isinstance(said, dict) else ()


def _refuse_ambiguous(file: Section, names: Names, found: Findings) -> None:
    for entry in (*file.get("models", ()), *file.get("tiers", ())):
        if entry.key == AUTO:
            found.add(entry.spot, f"The name '{AUTO}' is how callers leave the choice to the router", "another name")
    for entry in file.get("tiers", ()):
        if entry.key in names.models:
            found.add(entry.spot, f"A model is also called '{entry.key}', and callers name both", "another name")


def _models(
    entries: tuple[Entry, ...], names: Names, by_name: dict[str, ProviderFile], common: Timeouts, found: Findings
) -> dict[str, DeclaredModel]:
    made: dict[str, DeclaredModel] = {}
    for entry in entries:
        short = isinstance(entry.value, Named)
        said = Section(entry.spot, {"provider": entry.value}, {}) if short else entry.value
        named: Named = said.get("provider")
        fallbacks = tuple(one.text for one in said.get("fallbacks", ()) if names.model(one, found))
        if entry.key in fallbacks:
            found.add(said.at("fallbacks"), "A model cannot stand in for itself", "other models")
        provider = by_name.get(named.text) if names.provider(named, found) else None
        if provider is None:
            continue
        cap, longest, window = said.get("output_cap"), said.get("max_output"), said.get("context_window")
        if cap is not None and longest is not None and cap > longest:
            found.add(said.at("output_cap"), "'output_cap' is above 'max_output'", f"at most {longest}")
        if longest is not None and window is not None and longest > window:
            found.add(said.at("max_output"), "'max_output' is above 'context_window'", f"at most {window}")
        if said.get("embeddings") and Dialect.OPENAI_EMBEDDINGS not in provider.dialects:
            found.add(said.at("embeddings"), f"The provider '{provider.name}' makes no embeddings", "another provider")
        embeddings_only = provider.dialects == {Dialect.OPENAI_EMBEDDINGS}
        made[entry.key] = DeclaredModel(
            id=entry.key,
            provider=provider.name,
            name=said.get("model", entry.key),
            prices=provider.prices,
            dialects=provider.dialects,
            embeddings=said.get("embeddings", embeddings_only),
            tools=said.get("tools", True),
            images=said.get("images", True),
            outside=provider.outside,
            context_window=window,
            max_output=longest,
            output_cap=cap,
            timeouts=timeouts(said.get("timeouts"), common, found) if "timeouts" in said else None,
            fallbacks=tuple(dict.fromkeys(fallbacks)),
        )
    return made


def _tier(entry: Entry, names: Names, found: Findings) -> Tier:
    said: Section = entry.value
    models = tuple(dict.fromkeys(one.text for one in said.get("models") if names.model(one, found)))
    fallback = tuple(dict.fromkeys(one.text for one in said.get("fallback", ()) if names.tier(one, found)))
    if entry.key in fallback:
        found.add(said.at("fallback"), "A tier cannot stand in for itself", "other tiers")
    choose: Choose = said.get("choose", Choose.ORDER)
    if "weights" in said.spots and choose is not Choose.WEIGHTED:
        found.add(said.at("weights"), f"With 'choose: {choose}' weights say nothing", "choose: weighted")
    weights = {one.key: one.value for one in said.get("weights", ())}
    for one in said.get("weights", ()):
        if one.key not in models:
            near = found.near(one.key, models)
            found.add(one.spot, f"The tier holds no model '{one.key}'", f"one of {', '.join(models)}", near)
    return Tier(
        name=entry.key,
        models=models,
        choose=choose,
        weights=tuple(weights.get(model, 1) for model in models) if weights else (),
        fallback=fallback,
    )


def _refuse_wrong_kinds(file: Section, models: dict[str, DeclaredModel], found: Findings) -> None:
    """A classifier that only embeds, or an embedder that only talks, would fail every call."""
    for section in file.get("rules", ()):
        said: Section | None = section.get("classifier")
        model = models.get(said.get("model").text) if said else None
        if said and model is not None and model.embeddings:
            found.add(said.at("model"), f"The model '{model.id}' makes embeddings only", "a model that answers")
    parts = [file, *(entry.value for entry in file.get("steps", ()))]
    for part in parts:
        semantic: Section | None = (part.get("cache") or Section(part.spot, {}, {})).get("semantic")
        model = models.get(semantic.get("embedder").text) if semantic else None
        if semantic and model is not None and not model.embeddings:
            found.add(
                semantic.at("embedder"), f"The model '{model.id}' makes no embeddings", "'embeddings: true' there"
            )


def _settings(file: Section, names: Names, found: Findings) -> Settings:
    made = settings(file.get("defaults") or Section(file.spot, {}, {}), Settings(), found)
    _check_embedder(file, names, found)
    return settings(
        replace(file, values={key: file.get(key) for key in ("cache", "privacy") if key in file}), made, found
    )


def _steps(file: Section, common: Settings, names: Names, found: Findings) -> dict[str, Settings]:
    for entry in file.get("steps", ()):
        _check_embedder(entry.value, names, found)
    return {entry.key: settings(entry.value, common, found) for entry in file.get("steps", ())}


def _check_embedder(said: Section, names: Names, found: Findings) -> None:
    semantic: Section | None = (said.get("cache") or Section(said.spot, {}, {})).get("semantic")
    if semantic:
        names.model(semantic.get("embedder"), found)


def _default(file: Section, names: Names, found: Findings) -> str:
    said: Section | None = file.get("defaults")
    named: Named | None = said.get("use") if said else None
    return named.text if named and names.target(named, found) else ""


def _allow(file: Section, names: Names, found: Findings) -> dict[AgentId, frozenset[str]]:
    return {
        AgentId(entry.key.text): frozenset(one.text for one in entry.value if names.target(one, found))
        for entry in file.get("allow", ())
        if names.agent(entry.key, found)
    }


def _prices(file: Section, folder: Path, read: ReadPlain, found: Findings) -> tuple[JsonObject, Path | None]:
    if "prices" not in file:
        return {}, None
    path = folder / file.get("prices")
    if not path.is_file():
        found.add(file.at("prices"), "There is no such file", "a path from the folder of the router file")
        return {}, None
    said = read(path)
    if isinstance(said, dict):
        return said, path
    if said is not None:
        found.add(file.at("prices"), "The file of prices holds no mapping", "providers, then models, then prices")
    return {}, path
