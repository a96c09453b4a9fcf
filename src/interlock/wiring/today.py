"""The rules of today, for whoever holds the past against them."""

import asyncio

from interlock.config import Deployment, load_deployment
from interlock.gateway.publisher import Publisher
from interlock.gateway.release import Release
from interlock.gateway.store import Store
from interlock.wiring.declaring import files_of
from interlock.wiring.releases import archived


async def today(publisher: Publisher, store: Store, deployment: Deployment) -> Release:
    """Return what is published in this process; else what the files say, over the tools as they were last offered.

    No upstream is asked. Raises UnknownRecord where nothing was published yet, ConfigurationError where the files do not fit the
    tools any more.
    """
    if publisher.published:
        return publisher.current()
    latest = await archived(store, deployment.tenant)
    return await asyncio.to_thread(lambda: latest.made(files_of(load_deployment(deployment.files[0]))))
