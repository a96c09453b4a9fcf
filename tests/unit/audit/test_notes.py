"""A note is what a known key signed; its keys and lines are those of C2SP and Go's `sumdb/note`."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.audit.checkpoints import Checkpoint, open_checkpoint, parse_checkpoint, read_checkpoint, sign_checkpoint
from interlock.audit.notes import (
    COSIGNATURE,
    MAX_NOTE_BYTES,
    Note,
    SignerKey,
    VerifierKey,
    open_note,
    parse_note,
    parse_signature,
    parse_signer_key,
    parse_verifier_key,
    sign,
)
from interlock.domain.errors import InterlockError, MalformedProof, NotProven

# The worked example in the documentation of golang.org/x/mod/sumdb/note, from which the form of notes comes.
NEUMANN = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
NEUMANN_SECRET = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
NEUMANN_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
NEUMANN_NOTE = (
    f"{NEUMANN_TEXT}\n— PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)

LOG = SignerKey("example.com/log", bytes(range(32)))
OTHER = SignerKey("example.com/other", bytes(32))
WITNESS = SignerKey("example.com/witness", bytes(range(1, 33)), COSIGNATURE)
TEXT = "example.com/log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"


def test_the_published_example_opens_and_is_signed_again_to_the_letter() -> None:
    opened = open_note(NEUMANN_NOTE.encode(), [parse_verifier_key(NEUMANN)])
    signer = parse_signer_key(NEUMANN_SECRET)

    assert opened.text == NEUMANN_TEXT
    assert bytes(sign(NEUMANN_TEXT, signer)).decode() == NEUMANN_NOTE
    assert (str(signer.verifier), signer.secret_text()) == (NEUMANN, NEUMANN_SECRET)


def test_signatures_by_unknown_keys_are_passed_over() -> None:
    note = bytes(sign(TEXT, OTHER, LOG))

    assert [key for key, _ in open_note(note, [LOG.verifier]).signed_by] == [LOG.verifier]
    with pytest.raises(NotProven):
        open_note(note, [SignerKey(LOG.name, bytes(32)).verifier])
    with pytest.raises(NotProven):
        open_note(note, [])


def test_one_false_signature_of_a_known_key_spoils_the_note() -> None:
    false = Note(TEXT, (*sign(TEXT, LOG).signatures, *sign("another\n", OTHER).signatures))

    assert open_note(bytes(false), [LOG.verifier]).text == TEXT
    with pytest.raises(NotProven):
        open_note(bytes(false), [LOG.verifier, OTHER.verifier])


def test_a_witness_signs_the_text_together_with_the_time() -> None:
    cosigned = sign(TEXT, LOG).signed_also_by(WITNESS.sign(TEXT, 1_763_700_000))
    ((key, signature),) = open_note(bytes(cosigned), [WITNESS.verifier]).signed_by
    moved = parse_signature(str(signature).rstrip("\n"))
    later = (signature.time + 1).to_bytes(8) + signature.signature[8:]

    assert (key, moved.time) == (WITNESS.verifier, 1_763_700_000)
    with pytest.raises(NotProven):
        open_note(bytes(Note(TEXT, (type(moved)(moved.name, moved.key_id, later),))), [WITNESS.verifier])


def test_a_log_key_and_a_witness_key_do_not_stand_for_each_other() -> None:
    as_log = SignerKey(WITNESS.name, WITNESS.seed)

    assert as_log.verifier.id != WITNESS.verifier.id
    with pytest.raises(ValueError, match="cosignature"):
        WITNESS.sign(TEXT)
    with pytest.raises(ValueError, match="cosignature"):
        LOG.sign(TEXT, 5)


@pytest.mark.parametrize("key", [LOG, OTHER, WITNESS])
def test_keys_survive_their_text_form(key: SignerKey) -> None:
    assert parse_signer_key(key.secret_text() + "\n") == key
    assert parse_verifier_key(str(key.verifier)) == key.verifier
    assert base64.b64encode(key.seed).decode() not in repr(key)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name",
        "name+00000000",
        NEUMANN.replace("c74f20a3", "c74f20a4"),
        NEUMANN.replace("c74f20a3", "C74F20A3"),
        NEUMANN.replace("ARpc", "AhpcA"),
        NEUMANN.replace("PeterNeumann", "Peter Neumann"),
        NEUMANN[:-1],
        NEUMANN + "+",
        NEUMANN.replace("+ARpc", "+BRpc"),
        "\ud800" + NEUMANN,
    ],
)
def test_a_damaged_key_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(MalformedProof):
        parse_verifier_key(text)
    with pytest.raises(MalformedProof) as refused:
        parse_signer_key(text.replace("PeterNeumann", "PRIVATE+KEY+PeterNeumann"))
    assert "ARpc" not in str(refused.value)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"text\n",
        b"text\n\n",
        b"\n\n",
        b"text\n\nno dash\n",
        NEUMANN_NOTE.encode()[:-1],
        NEUMANN_NOTE.encode() + b"more\n",
        NEUMANN_NOTE.replace("— Peter", "- Peter").encode(),
        NEUMANN_NOTE.replace("x08go", "x08 go").encode(),
        NEUMANN_NOTE.replace("JnAM=", "JnAN=").encode(),
        NEUMANN_NOTE.replace("If you", "If\tyou").encode(),
        NEUMANN_NOTE.replace("\n", "\r\n").encode(),
        b"\xff" + NEUMANN_NOTE.encode(),
        "text\n\n— name AAAA\n".encode(),
        "text\n\n— na+me AAAAAAAA\n".encode(),
        NEUMANN_NOTE.encode() + NEUMANN_NOTE.split("\n")[-2].encode() * 0 + "— a AAAAAAAA\n".encode() * 200,
        b"x" * (MAX_NOTE_BYTES + 1),
    ],
)
def test_what_is_not_a_note_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedProof):
        parse_note(data)


def test_a_text_that_cannot_be_a_note_is_not_signed() -> None:
    for text in ("no newline", "tab\t\n", "\ud800\n"):
        with pytest.raises(MalformedProof):
            sign(text, LOG)


@given(data=st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode(errors="ignore")))
def test_reading_anything_ends_in_a_value_or_a_refusal(data: bytes) -> None:
    for read in (parse_note, read_checkpoint, lambda raw: open_checkpoint(raw, [LOG.verifier])):
        try:
            read(data)
        except InterlockError as error:
            assert str(error)  # noqa: PT017 (it may also succeed)


@given(position=st.integers(0, len(NEUMANN_NOTE.encode()) - 1), flip=st.integers(1, 255))
def test_no_byte_of_a_note_can_change(position: int, flip: int) -> None:
    data = bytearray(NEUMANN_NOTE.encode())
    data[position] ^= flip
    with pytest.raises(InterlockError):
        open_note(bytes(data), [parse_verifier_key(NEUMANN)])


@given(
    st.builds(
        Checkpoint,
        origin=st.text(st.characters(min_codepoint=33, exclude_categories=["Cs"]), min_size=1),
        size=st.integers(0, 2**63 - 1),
        root=st.binary(min_size=32, max_size=32),
        extensions=st.lists(
            st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), min_size=1), max_size=3
        ).map(tuple),
    )
)
def test_a_checkpoint_survives_being_written_and_signed(checkpoint: Checkpoint) -> None:
    assert parse_checkpoint(checkpoint.text()) == checkpoint
    assert open_checkpoint(sign_checkpoint(checkpoint, LOG), [LOG.verifier]) == checkpoint


@pytest.mark.parametrize(
    "text",
    [
        "",
        "log\n0\n",
        "log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        "log\n00\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        "log\n-1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        "log\n1_0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        "log\n١\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        f"log\n{2**63}\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        f"log\n{'9' * 5000}\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        "log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuF==\n",
        "log\n0\nAAAA\n",
        "\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        "log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\nmore\n",
    ],
)
def test_what_is_not_a_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(MalformedProof):
        parse_checkpoint(text)


def test_a_verifier_key_is_compared_by_what_it_verifies() -> None:
    assert parse_verifier_key(NEUMANN) == VerifierKey("PeterNeumann", parse_signer_key(NEUMANN_SECRET).verifier.public)
