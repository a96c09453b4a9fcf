"""`python -m benchmarks.retail --data DATA [--json]`: recorded retail runs through the gateway, to the token and the cent."""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.corpus.processes import ProcessFailed
from benchmarks.retail.ledger import Measured, measure
from benchmarks.retail.player import PlayFailed
from benchmarks.retail.records import BadRecord
from benchmarks.retail.report import Figures, figures, page
from interlock.models.prices.book import load
from interlock.models.prices.price import Price

PROGRAM = (sys.executable, "-m", "interlock")


def main(argv: Sequence[str] | None = None) -> int:
    """Run it; return the exit code: 1 a difference that nothing explains, 2 wrong input, 3 the server failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.retail", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with runs/ and env/")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args(argv)
    try:
        measured = asyncio.run(measure(options.data, PROGRAM))
    except BadRecord as error:
        return _end(error, 2)
    except (PlayFailed, ProcessFailed) as error:
        return _end(error, 3)
    found = figures(measured, price_of(measured.played[0].run.model))
    print(_json(measured, found) if options.json else page(measured, found))
    return 1 if found.problems else 0


def price_of(model: str) -> Price:
    """Return the price by which the ledger counts. Raises BadRecord for a model without one."""
    price = load().find("openai", model, time.time_ns() // 1_000_000)
    if price is None:
        raise BadRecord(f"{model} has no price.")
    return price


def _json(measured: Measured, found: Figures) -> str:
    runs = [
        {
            "run": one.run.id,
            "streamed": one.streamed,
            "success": one.run.success,
            "recorded": asdict(one.run.agent),
            "ledger": asdict(measured.entries[one.run.id].records),
            "cache_read": measured.entries[one.run.id].cache_read,
        }
        for one in measured.played
    ]
    return json.dumps({"runs": runs, "total": asdict(found), "seconds": round(measured.seconds, 1)}, indent=1)


def _end(error: Exception, code: int) -> int:
    print(error, file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
