"""Pages of the model list, as Anthropic's clients turn them."""

from hypothesis import given
from hypothesis import strategies as st

from interlock.gateway.models.requests import OpenModel
from interlock.server.models.listing import anthropic_page


@given(st.integers(0, 12), st.integers(1, 13))
def test_turning_pages_forward_shows_every_model_once(number: int, limit: int) -> None:
    models = [OpenModel(f"m{n}", "script") for n in range(number)]
    shown: list[str] = []
    more, turn = True, ""
    while more:
        page = anthropic_page(models, f"limit={limit}{turn}".encode())
        shown += [model["id"] for model in page["data"]]
        more, turn = page["has_more"], f"&after_id={page['last_id']}"

    assert shown == [model.id for model in models]


@given(st.integers(1, 12), st.integers(1, 13))
def test_turning_pages_backward_shows_every_model_before_once(number: int, limit: int) -> None:
    models = [OpenModel(f"m{n}", "script") for n in range(number)]
    shown = [models[-1].id]
    more = True
    while more:
        page = anthropic_page(models, f"limit={limit}&before_id={shown[0]}".encode())
        shown = [*(model["id"] for model in page["data"]), *shown]
        more = page["has_more"]

    assert shown == [model.id for model in models]
