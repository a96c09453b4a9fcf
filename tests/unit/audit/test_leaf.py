"""A leaf is the canonical form of its event, whichever way it is written."""

from __future__ import annotations

import math

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from interlock.audit.leaf import leaf_bytes
from interlock.domain.errors import MalformedJson
from tests.contracts.samples import an_event

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXTS, inner, max_size=5),
    max_leaves=20,
)
EDGES = [1e-4, 1.0, 2.5, 1e15, 1e16, 0.1 + 0.2, 123456789.125]


@given(body=st.dictionaries(TEXTS, VALUES, max_size=5), actor=TEXTS)
def test_a_leaf_is_what_the_library_writes(body: dict[str, object], actor: str) -> None:
    event = an_event(body=body, actor=actor)
    fields = {name: getattr(event, name) for name in ("actor", "at", "body", "id", "subject", "tenant")}
    assert leaf_bytes(event) == rfc8785.dumps(fields | {"kind": event.kind.value})


@pytest.mark.parametrize("edge", EDGES)
def test_fractions_are_written_as_ecmascript_writes_them(edge: float) -> None:
    for number in (edge, -edge, math.nextafter(edge, 0), math.nextafter(edge, math.inf)):
        assert rfc8785.dumps(number) in leaf_bytes(an_event(body={"number": number}))


def test_what_has_no_canonical_form_is_refused() -> None:
    deep: list[object] = []
    for _ in range(2_000):
        deep = [deep]
    for body in ({"half": "\ud800"}, {"deep": deep}, {"number": math.nan}, {"number": 2**53}):
        with pytest.raises(MalformedJson):
            leaf_bytes(an_event(body=body))
