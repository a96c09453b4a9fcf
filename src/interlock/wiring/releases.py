"""Make releases again from the archive, or from files over archived tools. No upstream is touched, no secret resolved."""

import asyncio
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

from interlock.config import load_deployment
from interlock.domain.errors import ConfigurationError, UnknownRecord
from interlock.domain.ids import TenantId
from interlock.gateway.archive import (
    Declared,
    as_pinned,
    definition_hashes,
    part_hashes,
    unpacked_files,
    unpacked_offers,
)
from interlock.gateway.publisher import published
from interlock.gateway.release import Release
from interlock.gateway.store import Store, Tx
from interlock.policy.releases import ArchivedRelease
from interlock.tools.catalogue import assemble
from interlock.tools.offers import Offer
from interlock.tools.pins import PinPolicy
from interlock.wiring.declaring import declaration_of, engines_of, languages_of


class Archived:
    """One archived release with its parts, ready to be made again under its own files or under others."""

    def __init__(self, release: ArchivedRelease, parts: Mapping[str, bytes]) -> None:
        self.release = release
        self.parts = dict(parts)
        """By hash."""
        self._offers: tuple[Offer, ...] | None = None

    @property
    def files(self) -> Declared:
        """Its files, word for word. Raises ConfigurationError where it was declared in code."""
        return unpacked_files(self.release.manifest, self.parts)

    def made(self, files: Declared | None = None) -> Release:
        """Return the release that `files`, by default its own, declare over the tools as they were offered.

        Raises ConfigurationError for files that do not fit the tools.
        """
        own = files is None
        with tempfile.TemporaryDirectory(prefix="interlock-release-") as name:
            entry = written(files if files is not None else self.files, Path(name))
            try:
                return self._published(entry, missing=own, id=self.release.id if own else "")
            except ConfigurationError as error:
                raise _placed(error, f"{name}/") from None

    def _published(self, entry: Path, *, missing: bool, id: str) -> Release:
        deployment = load_deployment(entry)
        if self._offers is None:
            self._offers = unpacked_offers(self.release.manifest, self.parts)
        declared = declaration_of(deployment)
        # A release of the past may have been published while an upstream was away, under overlays for its tools.
        names = {called for offer in self._offers for called in offer.called}
        overlays = tuple(one for one in declared.overlays if not missing or one.tool in names)
        assembly = assemble(self._offers, overlays, (), PinPolicy.FIRST_USE, self.release.first_seen, lenient=missing)
        catalogue = as_pinned(assembly.catalogue, self.release.manifest)
        if not missing:
            _refuse_unknown(
                declared.unresolved(catalogue.names, {one.category for one in catalogue.contracts.values()})
            )
        made = published(
            declared,
            catalogue,
            languages_of(deployment),
            lambda contracts: engines_of(deployment, contracts),
            missing=missing,
        )
        return Release(made.catalogue, made.agents, made.limits, made.terms, made.proposals, made.run_life_ms, id)


async def archived(store: Store, tenant: TenantId, release: str = "") -> Archived:
    """Return the archived release that `release` names by the beginning of its id; the latest where it names none.

    Raises UnknownRecord when there is none.
    """

    def look(tx: Tx) -> Archived | None:
        latest = tx.releases.latest(tenant, 1) if not release else ()
        found = tx.releases.find(release) if release else latest[0] if latest else None
        if found is None or found.tenant != tenant:
            return None
        parts = dict(tx.releases.parts(part_hashes(found.manifest)))
        parts |= tx.releases.parts(definition_hashes(found.manifest, parts))
        return Archived(found, parts)

    one = await store.read(look)
    if one is None:
        raise UnknownRecord(
            f"No release {release[:16]} is archived" if release else "No release is archived yet",
            why="releases are archived when a server or a command publishes them",
            do="Start interlock serve once",
        )
    return one


async def remade(store: Store, tenant: TenantId, release: str) -> Release:
    """Return the archived release that `release` names, made again; the latest where it names none.

    Raises UnknownRecord when there is none, ConfigurationError when it cannot be made again.
    """
    found = await archived(store, tenant, release)
    return await asyncio.to_thread(found.made)


def read_by(files: Declared) -> frozenset[str]:
    """Return the names of those of `files` that the deployment among them reads. Raises ConfigurationError."""
    with tempfile.TemporaryDirectory(prefix="interlock-release-") as name:
        folder = Path(name)
        deployment = load_deployment(written(files, folder))
        found = [file for path in deployment.files for file in (path.rglob("*.rego") if path.is_dir() else (path,))]
        return frozenset(file.resolve().relative_to(folder.resolve()).as_posix() for file in found)


def written(files: Declared, folder: Path) -> Path:
    """Write `files` under `folder` and return where the deployment's own file stands. Raises ConfigurationError."""
    for name, body in {**dict.fromkeys(files.absent, b""), **files.files}.items():
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise ConfigurationError("An archived file stands outside its folder", why=name[:100])
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(body)
    return folder / files.entry


def _placed(error: ConfigurationError, folder: str) -> ConfigurationError:
    """Return `error` as it would read if the files stood where the reader has them."""
    problems = tuple(
        replace(each, spot=replace(each.spot, file=each.spot.file.replace(folder, ""))) for each in error.problems
    )
    what, why = error.what.replace(folder, ""), error.why.replace(folder, "")
    return ConfigurationError(what, why=why, do=error.do, problems=problems)


def _refuse_unknown(problems: tuple[object, ...]) -> None:
    if problems:
        raise ConfigurationError(
            "The files name tools or categories that do not exist",
            why="; ".join(str(getattr(one, "what", one)) for one in problems[:3]),
            do="Correct the names",
        )
