"""A reference gives the secret or an error that names only the reference."""

import os
import sys
from pathlib import Path

import pytest

from interlock.adapters.secrets.resolver import SecretResolver
from interlock.domain.errors import ToolUnavailable

CANARY = "sk_live_canary"


async def test_environment_and_file_are_read_anew_each_time(tmp_path: Path) -> None:
    environment = {"TOKEN": CANARY}
    file = tmp_path / "token"
    file.write_text(f"{CANARY}\n")
    file.chmod(0o600)
    secrets = SecretResolver(environment, tmp_path)
    assert await secrets.resolve("env:TOKEN") == CANARY
    assert await secrets.resolve("file:token") == CANARY
    assert await secrets.resolve(f"file:{file}") == CANARY
    environment["TOKEN"] = "rotated"
    file.write_text("rotated")
    assert await secrets.resolve("env:TOKEN") == "rotated"
    assert await secrets.resolve("file:token") == "rotated"


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o620, 0o602, 0o601])
async def test_a_file_that_others_may_read_or_change_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "token"
    file.write_text(CANARY)
    file.chmod(mode)
    with pytest.raises(ToolUnavailable, match="chmod 600") as caught:
        await SecretResolver({}, tmp_path).resolve("file:token")
    assert CANARY not in str(caught.value)


async def test_what_is_missing_empty_or_no_file_is_named_by_its_reference(tmp_path: Path) -> None:
    for name, content in (("empty", b""), ("binary", b"\xff\xfe"), ("huge", b"x" * 70_000)):
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).chmod(0o600)
    os.mkfifo(tmp_path / "pipe", 0o600)
    secrets = SecretResolver({"EMPTY": ""}, tmp_path)
    for reference in (
        "env:NONE",
        "env:EMPTY",
        "file:none",
        "file:empty",
        "file:binary",
        "file:huge",
        f"file:{tmp_path}",
    ):
        with pytest.raises(ToolUnavailable, match=reference.partition(":")[0]):
            await secrets.resolve(reference)


async def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(ToolUnavailable, match="regular file"):
        await SecretResolver({}, tmp_path).resolve("file:pipe")


@pytest.mark.parametrize("reference", [CANARY, "", "env:", "file:", "keyring:x", f"vault:{CANARY}"])
async def test_what_is_no_reference_may_be_the_secret_and_is_not_repeated(reference: str) -> None:
    with pytest.raises(ToolUnavailable) as caught:
        await SecretResolver({}).resolve(reference)
    assert CANARY not in str(caught.value)


async def test_without_the_keyring_package_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(ToolUnavailable, match=r"interlock\[keyring\]"):
        await SecretResolver({}).resolve("keyring:service/user")
