"""A role that nobody declared is guessed, and the guess errs on the side of asking."""

import pytest

from interlock.domain.provenance import Role
from interlock.provenance import guess_role
from interlock.provenance.roles import role_of


@pytest.mark.parametrize(
    ("pointer", "role"),
    [
        ("/recipients/0", Role.RECIPIENT),
        ("/userEmail", Role.RECIPIENT),
        ("/payload/to", Role.RECIPIENT),
        ("/iban", Role.ACCOUNT),
        ("/new_password", Role.SECRET),
        ("/webhook_url", Role.URL),
        ("/total_amount", Role.AMOUNT),
        ("/shell_command", Role.COMMAND),
        ("/attachments/2/file_id", Role.ID),
        ("/file_path", Role.FILE),
        ("/body", Role.TEXT_OUT),
        ("/start_time", Role.DATE),
        ("/whatever", Role.ID),
    ],
)
def test_a_role_is_guessed_from_the_name(pointer: str, role: Role) -> None:
    assert guess_role(pointer) is role


def test_the_schema_knows_better_than_the_name() -> None:
    assert guess_role("/x", {"format": "email"}) is Role.RECIPIENT
    assert guess_role("/x", {"type": "string", "format": "uri"}) is Role.URL
    assert guess_role("/recipient", {"enum": ["a", "b"]}) is Role.PLAIN
    assert guess_role("/notify", {"type": "boolean"}) is Role.PLAIN


def test_what_is_declared_is_not_guessed_and_the_longest_pattern_wins() -> None:
    declared = (("/items", Role.PLAIN), ("/items/*/id", Role.ID))
    assert role_of("/items/0/id", declared) == (Role.ID, False)
    assert role_of("/items/0/note", declared) == (Role.PLAIN, False)
    assert role_of("/to", declared) == (Role.RECIPIENT, True)


def test_every_guess_from_an_unknown_name_needs_support() -> None:
    assert guess_role("/zzz").consequential
