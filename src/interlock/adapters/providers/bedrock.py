"""AWS Bedrock: Converse and ConverseStream, signed with AWS keys or with a Bedrock API key."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import quote

from yarl import URL

from interlock.adapters.providers.credentials import Credential
from interlock.adapters.providers.eventstream import EventStreamAnswer
from interlock.adapters.providers.http import ProviderHttp
from interlock.adapters.providers.sigv4 import AwsKeys, Scope, signed
from interlock.adapters.providers.site import Site
from interlock.domain.canonical import JsonObject
from interlock.domain.errors import ConfigurationError, ModelRefused
from interlock.domain.models import Dialect
from interlock.models.ports import Answer, Operation, Outbound, Provider

_SERVICE: Final = "bedrock"
_STREAM: Final = "application/vnd.amazon.eventstream"


class AwsCredential:
    """A pair of AWS keys, with the session token that temporary ones have."""

    __slots__ = ("_access", "_secret", "_token")

    def __init__(self, access_key: Credential, secret_key: Credential, session_token: Credential | None = None) -> None:
        self._access = access_key
        self._secret = secret_key
        self._token = session_token

    async def keys(self) -> AwsKeys:
        """Return the keys. Raises ModelUnavailable."""
        token = await self._token.value() if self._token is not None else ""
        return AwsKeys(await self._access.value(), await self._secret.value(), token)

    def forget(self) -> None:
        """Look all of them up again at the next use."""
        for part in (self._access, self._secret, self._token):
            if part is not None:
                part.forget()


class BedrockProvider(Provider):
    """One region of Bedrock."""

    def __init__(
        self,
        name: str,
        http: ProviderHttp,
        region: str,
        credential: AwsCredential | Credential,
        *,
        base_url: str = "",
        control_url: str = "",
        ca_file: Path | None = None,
    ) -> None:
        """`credential` is a pair of AWS keys or a Bedrock API key. `control_url`, by default that of the region, or
        `base_url` where that is given, is where models are listed. Raises ConfigurationError.
        """
        if not region or not region.replace("-", "").isalnum() or not region.isascii():
            raise ConfigurationError(
                f"The provider '{name}' has no usable region", do="Say one, such as us-east-1 or eu-central-1"
            )
        self._name = name
        self._scope = Scope(region, _SERVICE)
        self._aws = credential if isinstance(credential, AwsCredential) else None
        bearer = credential if isinstance(credential, Credential) else None
        runtime = base_url or f"https://bedrock-runtime.{region}.amazonaws.com"
        control = control_url or base_url or f"https://bedrock.{region}.amazonaws.com"
        self._runtime = Site(name, runtime, http, credential=bearer, ca_file=ca_file)
        self._control = Site(name, control, http, credential=bearer, ca_file=ca_file)

    @property
    def name(self) -> str:
        return self._name

    def speaks(self, dialect: Dialect) -> Dialect:  # noqa: ARG002
        return Dialect.BEDROCK

    async def open(self, outbound: Outbound, dialect: Dialect) -> Answer:
        if dialect is not Dialect.BEDROCK or outbound.operation is not Operation.REPLY:
            raise ModelRefused(f"The provider '{self._name}' is not asked in the format {dialect}")
        action = "converse-stream" if outbound.stream else "converse"
        url = self._runtime.url(f"/model/{quote(outbound.model, safe='')}/{action}")
        answer = await self._runtime.post(url, outbound, await self._proof("POST", url, outbound.body))
        if answer.status in (401, 403) and self._aws is not None:
            self._aws.forget()
        if answer.status == 200 and answer.headers.get("content-type", "").startswith(_STREAM):
            return EventStreamAnswer(answer, self._name)
        return answer

    async def models(self) -> tuple[str, ...]:
        """Return foundation models and inference profiles, which are asked in the same way."""
        models = await self._list("/foundation-models", "modelSummaries", "modelId")
        profiles = await self._list(
            "/inference-profiles?maxResults=1000", "inferenceProfileSummaries", "inferenceProfileId"
        )
        return (*models, *profiles)

    async def close(self) -> None:
        """Nothing to do: the connections belong to the pool."""

    async def _list(self, path: str, rows: str, name: str) -> tuple[str, ...]:
        url = self._control.url(path)
        listing: JsonObject = await self._control.get(url, await self._proof("GET", url, b""))
        listed = listing.get(rows)
        listed = listed if isinstance(listed, list) else []
        return tuple(row[name] for row in listed if isinstance(row, dict) and isinstance(row.get(name), str))

    async def _proof(self, method: str, url: URL, body: bytes) -> Mapping[str, str] | None:
        if self._aws is None:
            return None
        at = datetime.fromtimestamp(time.time(), UTC).strftime("%Y%m%dT%H%M%SZ")
        return signed(method, url, body, await self._aws.keys(), self._scope, at)
