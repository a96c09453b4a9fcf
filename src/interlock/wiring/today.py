"""The rules of today, for whoever holds the past against them."""

import asyncio
import logging

from interlock.config import Deployment, load_deployment
from interlock.domain.errors import InterlockError
from interlock.gateway.publisher import Publisher
from interlock.gateway.release import Release
from interlock.gateway.store import Store
from interlock.wiring.declaring import files_of
from interlock.wiring.releases import archived

_LOG = logging.getLogger(__name__)


async def today(publisher: Publisher, store: Store, deployment: Deployment) -> Release | None:
    """Return what is published in this process; else what the files say, over the tools as they were last offered.

    No upstream is asked. None where nothing was published yet, or where the files do not fit the tools any more.
    """
    if publisher.published:
        return publisher.current()
    try:
        latest = await archived(store, deployment.tenant)
        return await asyncio.to_thread(lambda: latest.made(files_of(load_deployment(deployment.files[0]))))
    except InterlockError as error:
        _LOG.info("there are no rules of today: %s", error)
        return None
