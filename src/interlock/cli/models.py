"""`interlock models`."""

import asyncio
import time
from pathlib import Path
from typing import Annotated

import typer

from interlock.cli import models_calls, models_spending
from interlock.cli.exits import Exit
from interlock.cli.models_prices import print_prices
from interlock.cli.output import AsJson, Output, counted
from interlock.cli.session import HERE, Config
from interlock.config import RouterFile, load_deployment
from interlock.domain.errors import ConfigurationError, UnknownModel
from interlock.domain.routes import DeclaredModel
from interlock.gateway.models.probe import Probe, probe
from interlock.models.prices.book import PriceBook, load
from interlock.wiring import open_interlock

app = typer.Typer(
    help="The models, whether they answer, what they cost.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)
app.add_typer(models_calls.app)
app.add_typer(models_spending.app)
_AT_ONCE = 8


@app.command("list")
def list_(config: Config = HERE, as_json: AsJson = False) -> None:
    """List the models and tiers that callers may name."""
    file = _router(config)
    routes, output = file.routes, Output(as_json)
    models = [_plain(model) for model in routes.models.values()]
    tiers = [
        {"id": tier.name, "models": list(tier.models), "choose": tier.choose.value, "fallback": list(tier.fallback)}
        for tier in routes.tiers.values()
    ]
    output.data({"router": routes.version, "models": models, "tiers": tiers, "default": routes.default})
    rows = [
        (one.id, one.provider, one.name, one.context_window or "-", "yes" if one.outside else "no")
        for one in routes.models.values()
    ]
    output.table(("model", "provider", "its name there", "context window", "outside"), rows, empty="No models.")
    if tiers:
        output.say()
        output.table(
            ("tier", "models", "chosen by", "then"),
            [(one["id"], ", ".join(one["models"]), one["choose"], ", ".join(one["fallback"]) or "-") for one in tiers],
        )
    if routes.default:
        output.say(f"\nCallers that name 'auto' get {routes.default} unless a rule says otherwise.")


@app.command("test")
def try_(
    name: Annotated[str | None, typer.Argument(metavar="MODEL", help="One model; left out, all of them.")] = None,
    config: Config = HERE,
    as_json: AsJson = False,
) -> None:
    """Ask each model for one word, at its provider's price: does the road to it work?"""
    file = _router(config)
    wanted = tuple(one for one in file.routes.models.values() if name in (None, one.id))
    if not wanted:
        raise UnknownModel(f"The router file declares no model '{name}'", do="See interlock models list")
    book = _book(file)
    output = Output(as_json)
    output.say(f"Asking {counted(len(wanted), 'model')} for one word each ...")
    found = asyncio.run(_probed(config, wanted))
    output.data({"models": [_told(one, file, book) for one in found]})
    rows = [
        (one.model, one.provider, "no" if one.problem else "yes", f"{one.duration_ms} ms", one.problem or one.said[:60])
        for one in found
    ]
    output.table(("model", "provider", "answers", "took", "it says"), rows)
    if any(one.problem for one in found):
        raise typer.Exit(Exit.ENVIRONMENT)


@app.command()
def prices(
    name: Annotated[str | None, typer.Argument(metavar="MODEL", help="A model as its provider calls it.")] = None,
    provider: Annotated[str | None, typer.Option(help="A provider, such as openai or bedrock.")] = None,
    config: Config = HERE,
    as_json: AsJson = False,
) -> None:
    """Show prices: of the deployment's models, or of any model at a provider."""
    now = time.time_ns() // 1_000_000
    if provider is not None:
        book = _book(_router(config)) if config.exists() else load()
        listed = book.listed(provider, now) if name is None else (book.find(provider, name, now),)
        print_prices(book, (one for one in listed if one is not None), Output(as_json))
        return
    file = _router(config)
    book = _book(file)
    models = [one for one in file.routes.models.values() if name in (None, one.id, one.name)]
    found = [(one, book.find(one.prices, one.name, now)) for one in models]
    output = Output(as_json)
    print_prices(book, (price for _, price in found if price is not None), output)
    missing = [one.id for one, price in found if price is None]
    if missing:
        output.say(f"\nWithout a price, and refused unless the router allows it: {', '.join(missing)}.")


def _router(config: Path) -> RouterFile:
    router = load_deployment(config).router
    if router is None:
        raise ConfigurationError(
            "This deployment routes no models", do="Name a router file in interlock.yaml: router: config/router.yaml"
        )
    return router


def _book(file: RouterFile) -> PriceBook:
    book, problems = load().with_overrides(file.prices, str(file.prices_path or "prices"))
    if problems:
        raise ConfigurationError("The prices file has problems", problems=problems)
    return book


async def _probed(config: Path, wanted: tuple[DeclaredModel, ...]) -> list[Probe]:
    """Ask all of `wanted`, a few at a time."""
    async with open_interlock(config, discover=False, models=True) as interlock:
        road, turn = interlock.models, asyncio.Semaphore(_AT_ONCE)

        async def one(model: DeclaredModel) -> Probe:
            async with turn:
                return await probe(model, road.providers, road.wire_of)

        return list(await asyncio.gather(*(one(model) for model in wanted)))


def _told(one: Probe, file: RouterFile, book: PriceBook) -> dict[str, object]:
    model = file.routes.models[one.model]
    price = book.find(model.prices, model.name, time.time_ns() // 1_000_000)
    cost = price.cost(one.usage) if price is not None and one.usage is not None else None
    return {
        "model": one.model,
        "provider": one.provider,
        "answers": not one.problem,
        "problem": one.problem or None,
        "duration_ms": one.duration_ms,
        "said": one.said,
        "tokens": one.usage.total if one.usage is not None else None,
        "cost_nano_usd": cost,
    }


def _plain(model: DeclaredModel) -> dict[str, object]:
    return {
        "id": model.id,
        "provider": model.provider,
        "name": model.name,
        "context_window": model.context_window,
        "max_output": model.max_output,
        "outside": model.outside,
        "embeddings": model.embeddings,
        "fallbacks": list(model.fallbacks),
    }
