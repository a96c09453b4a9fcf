"""A client that wants no caching says so with the header that HTTP has for it."""

import aiohttp
import pytest

from interlock.gateway.models.requests import Caching
from tests.kits.model_surface import KEY, a_model_surface

BODY = {"model": "scripted", "messages": [{"role": "user", "content": "Hi"}]}


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (None, Caching.USUAL),
        ("no-store", Caching.NONE),
        ("No-Store, no-cache", Caching.NONE),
        ("no-cache", Caching.REFRESH),
        ("max-age=0", Caching.REFRESH),
        ("max-age=60", Caching.USUAL),
        ("", Caching.USUAL),
        ("\x80", Caching.USUAL),
    ],
)
async def test_cache_control_is_obeyed_and_stays_here(said: str | None, meant: Caching) -> None:
    headers = {"Authorization": f"Bearer {KEY}"} | ({} if said is None else {"Cache-Control": said})
    async with (
        a_model_surface() as (url, road),
        aiohttp.ClientSession() as session,
        session.post(f"{url}/v1/chat/completions", json=BODY, headers=headers) as answer,
    ):
        assert answer.status == 200

    (ask,) = road.asks
    assert ask.caching is meant
    assert ask.headers == {}
