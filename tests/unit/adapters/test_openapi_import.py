"""OpenAPI documents of every version import whole, and what cannot be read is left out by name."""

import copy
import gzip
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.adapters.openapi.document import read_document
from interlock.adapters.openapi.importer import Import, offers_of
from interlock.adapters.openapi.source import OpenApiSource
from interlock.domain.contracts import Idempotency, Kind, Tier
from interlock.domain.errors import ConfigurationError
from interlock.tools.catalogue import assemble
from interlock.tools.offers import Offer
from interlock.tools.pins import PinPolicy
from interlock.tools.schemas import Schema, compile_schemas

DATA = Path(os.environ.get("INTERLOCK_DATA", Path(__file__).parents[3].parent / "shared" / "data")) / "openapi"
NOWHERE = not DATA.is_dir()

SHOP_2: dict[str, Any] = {
    "swagger": "2.0",
    "info": {"title": "Shop", "version": "1"},
    "basePath": "/v2",
    "consumes": ["application/json"],
    "securityDefinitions": {"key": {"type": "apiKey", "in": "header", "name": "X-Api-Key"}},
    "security": [{"key": []}],
    "parameters": {"limit": {"name": "limit", "in": "query", "type": "integer", "maximum": 100}},
    "definitions": {
        "Pet": {
            "type": "object",
            "required": ["name", "id"],
            "properties": {
                "id": {"type": "integer", "readOnly": True},
                "name": {"type": "string", "x-nullable": True},
                "weight": {"type": "number", "minimum": 0, "exclusiveMinimum": True},
                "parent": {"$ref": "#/definitions/Pet"},
            },
        }
    },
    "paths": {
        "/pets": {
            "get": {
                "operationId": "listPets",
                "parameters": [
                    {"$ref": "#/parameters/limit"},
                    {
                        "name": "tags",
                        "in": "query",
                        "type": "array",
                        "items": {"type": "string"},
                        "collectionFormat": "csv",
                    },
                ],
                "responses": {"200": {"schema": {"type": "array", "items": {"$ref": "#/definitions/Pet"}}}},
            },
            "post": {
                "summary": "Add a pet",
                "parameters": [
                    {"name": "pet", "in": "body", "required": True, "schema": {"$ref": "#/definitions/Pet"}}
                ],
                "responses": {"201": {"schema": {"$ref": "#/definitions/Pet"}}, "204": {}},
            },
        },
        "/pets/{id}/photo": {
            "parameters": [{"name": "id", "in": "path", "required": True, "type": "string"}],
            "post": {
                "operationId": "photo",
                "consumes": ["multipart/form-data"],
                "parameters": [
                    {"name": "id", "in": "formData", "type": "string"},
                    {"name": "file", "in": "formData", "type": "file", "required": True},
                ],
                "responses": {"200": {"schema": {"type": "file"}}},
            },
            "delete": {"operationId": "photo", "responses": {"204": {}}},
        },
    },
}

SHOP_31: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Shop", "version": "1"},
    "components": {
        "securitySchemes": {"login": {"type": "oauth2", "flows": {}}},
        "schemas": {
            "Node": {"type": ["object", "null"], "properties": {"next": {"$ref": "#/components/schemas/Node"}}},
            "Base": {"type": "object", "properties": {"kind": {"const": "x"}}, "required": ["kind"]},
        },
    },
    "security": [{"login": ["read"]}],
    "paths": {
        "/nodes": {
            "put": {
                "operationId": "set nodes!",
                "parameters": [
                    {"name": "StartTime<", "in": "query", "schema": {"type": "string", "format": "date"}},
                    {"name": "filter", "in": "query", "content": {"application/json": {"schema": {"type": "object"}}}},
                    {"name": "Authorization", "in": "header", "schema": {"type": "string"}},
                ],
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {
                            "schema": {
                                "allOf": [
                                    {"$ref": "#/components/schemas/Base"},
                                    {"type": "object", "properties": {"node": {"$ref": "#/components/schemas/Node"}}},
                                ]
                            }
                        }
                    },
                },
                "responses": {
                    "200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Node"}}}},
                    "202": {"content": {"application/json": {"schema": {"type": "boolean"}}}},
                },
            },
            "patch": {
                "requestBody": {
                    "content": {"application/json": {"schema": {"oneOf": [{"type": "string"}, {"type": "integer"}]}}}
                },
                "responses": {"default": {"description": "?"}},
            },
        }
    },
}


def imported(document: dict[str, Any], *include: str) -> Import:
    return offers_of(read_document(json.dumps(document).encode(), "shop.json"), "shop", include)


def named(document: dict[str, Any]) -> dict[str, Offer]:
    found = imported(document)
    assert found.problems == ()
    return {offer.name: offer for offer in found.offers}


def test_a_document_of_version_2_becomes_contracts() -> None:
    offers = named(SHOP_2)
    assert set(offers) == {"listPets", "post_pets", "photo", "photo_2"}
    added = offers["post_pets"]
    assert added.description == "Add a pet"
    assert added.upstream.details["path"] == "/v2/pets"
    assert added.upstream.details["credential"] == {"in": "header", "name": "X-Api-Key"}
    arguments = Schema(added.input_schema, "the test")
    assert arguments.fits({"name": None, "weight": 0.5, "parent": {"name": "x", "parent": {"name": "y"}}})
    assert not arguments.fits({"name": "x", "weight": 0})
    assert not arguments.fits({"name": "x", "id": 5})
    assert not arguments.fits({})
    assert added.output_schema is None
    listed = offers["listPets"]
    assert listed.output_schema is not None
    assert Schema(listed.output_schema, "the test").fits([{"name": "a", "id": 1}])
    assert not Schema(listed.output_schema, "the test").fits([{"name": "a"}])
    assert listed.upstream.details["parameters"][1]["explode"] is False


def test_a_body_field_never_takes_the_place_of_a_parameter_of_its_name() -> None:
    photo = named(SHOP_2)["photo"]
    assert list(photo.input_schema["properties"]) == ["id", "body_id", "file"]
    assert photo.input_schema["required"] == ["id", "file"]
    body = photo.upstream.details["body"]
    assert body["media_type"] == "multipart/form-data"
    assert body["fields"][0] == {"name": "id", "argument": "body_id"}
    assert body["fields"][1]["binary"] is True


def test_a_document_of_version_3_1_becomes_contracts() -> None:
    offers = named(SHOP_31)
    put = offers["set_nodes"]
    assert list(put.input_schema["properties"]) == ["StartTime_lt", "filter", "kind", "node"]
    assert put.input_schema["required"] == ["kind"]
    assert put.upstream.details["credential"] == {"in": "bearer"}
    arguments = Schema(put.input_schema, "the test")
    assert arguments.fits({"kind": "x", "node": {"next": {"next": None}}, "StartTime_lt": "2026-01-01"})
    assert not arguments.fits({"kind": "x", "node": {"next": 5}})
    assert put.output_schema is not None
    allowed: list[Any] = [{}, None, True, 5]
    assert [Schema(put.output_schema, "t").fits(value) for value in allowed] == [True, True, True, False]
    assert list(offers["patch_nodes"].input_schema["properties"]) == ["body"]


def test_kind_and_tier_follow_from_the_method_and_are_marked_as_guesses() -> None:
    contracts = assemble(imported(SHOP_2).offers, (), (), PinPolicy.FIRST_USE, 1).catalogue
    listed, deleted = contracts.find("listPets"), contracts.find("photo_2")
    assert (listed.kind, listed.tier, listed.idempotency) == (Kind.READ, Tier.READ_ONLY, Idempotency.NATURAL)
    assert (deleted.kind, deleted.tier, deleted.idempotency) == (Kind.WRITE, Tier.IRREVERSIBLE, Idempotency.NONE)
    assert {"kind", "tier"} <= listed.guessed


def test_yaml_is_read_as_json_is() -> None:
    text = b"openapi: 3.0.0\npaths:\n  /a:\n    get:\n      operationId: a\n      responses: {}\n"
    assert [offer.name for offer in offers_of(read_document(text, "a.yaml"), "a").offers] == ["a"]


@pytest.mark.parametrize(
    "text",
    [b"", b"[]", b"{", b"{}", b'{"openapi": "4.0.0"}', b'{"openapi": "3.0.0", "paths": []}', b"a: [", b"\xff\xfe"],
)
def test_what_is_no_openapi_document_is_a_configuration_error(text: bytes) -> None:
    with pytest.raises(ConfigurationError, match="shop"):
        offers_of(read_document(text, "shop"), "shop")


@pytest.mark.parametrize(
    "reference",
    ["http://169.254.169.254/latest", "file:///etc/passwd", "other.yaml#/X", "#/nowhere", "#/paths/*", "#anchor"],
)
def test_a_reference_out_of_the_document_is_never_followed(reference: str) -> None:
    document = copy.deepcopy(SHOP_2)
    document["definitions"]["Pet"]["properties"]["parent"] = {"$ref": reference}
    found = imported(document)
    assert {offer.name for offer in found.offers} == {"photo", "photo_2"}
    assert len(found.problems) == 2


def test_references_in_circles_end() -> None:
    document = copy.deepcopy(SHOP_2)
    document["definitions"]["Pet"] = {"$ref": "#/definitions/Other"}
    document["definitions"]["Other"] = {"$ref": "#/definitions/Pet"}
    for offer in imported(document).offers:
        Schema(offer.input_schema, "the test").fits({"name": "x"})


def test_a_path_that_its_parameters_do_not_fill_is_left_out() -> None:
    document = {"openapi": "3.0.0", "paths": {"/a/{id}": {"get": {}}, "@evil/x": {"get": {}}}}
    found = imported(document)
    assert found.offers == ()
    assert len(found.problems) == 2


def test_operations_are_chosen_by_name_and_a_wrong_name_is_an_error() -> None:
    assert [offer.name for offer in imported(SHOP_2, "list*").offers] == ["listPets"]
    with pytest.raises(ConfigurationError, match="listPets"):
        imported(SHOP_2, "listPet")


async def test_a_source_reads_its_file_again_only_when_it_has_changed(tmp_path: Path) -> None:
    file = tmp_path / "shop.json"
    file.write_text(json.dumps(SHOP_2))
    source = OpenApiSource("shop", file, exclude=("photo*",))
    first = await source.offers()
    assert {offer.name for offer in first} == {"listPets", "post_pets"}
    assert await source.offers() is first
    file.write_text(json.dumps({**SHOP_2, "basePath": "/v3"}))
    os.utime(file, ns=(1, 1))
    assert (await source.offers())[0].upstream.details["path"] == "/v3/pets"
    file.unlink()
    with pytest.raises(ConfigurationError):
        await source.offers()


KEYS = [
    "$ref",
    "type",
    "properties",
    "items",
    "allOf",
    "parameters",
    "schema",
    "in",
    "name",
    "required",
    "enum",
    "content",
]
ODD = st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "object", "#/definitions/Pet", "body"])
ODD_TREES = st.recursive(
    ODD,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=2),
    max_leaves=5,
)


def spots(part: Any) -> list[tuple[Any, Any]]:
    keys = list(part) if isinstance(part, dict) else list(range(len(part))) if isinstance(part, list) else []
    return [spot for key in keys for spot in [(part, key), *spots(part[key])]]


@settings(max_examples=200)
@given(st.data(), st.sampled_from([SHOP_2, SHOP_31]), ODD_TREES)
def test_any_part_of_a_document_may_be_nonsense(data: st.DataObject, document: dict[str, Any], odd: Any) -> None:
    changed = copy.deepcopy(document)
    part, key = data.draw(st.sampled_from(spots(changed)))
    part[key] = odd
    try:
        found = imported(changed)
    except ConfigurationError:
        return
    assemble(found.offers, (), (), PinPolicy.FIRST_USE, 1)


@pytest.mark.data
@pytest.mark.skipif(NOWHERE, reason="the OpenAPI documents are not there: set INTERLOCK_DATA")
@pytest.mark.parametrize(("name", "operations"), [("stripe_spec3", 417), ("twilio_api_v2010", 197)])
def test_the_documents_of_stripe_and_twilio_import_whole(name: str, operations: int) -> None:
    text = gzip.decompress((DATA / f"{name}.json.gz").read_bytes())
    started = time.process_time()
    found = offers_of(read_document(text, name), name)
    assembly = assemble(found.offers, (), (), PinPolicy.FIRST_USE, 1)
    assert time.process_time() - started < 5
    assert found.problems == ()
    assert assembly.problems == ()
    assert len(assembly.catalogue.contracts) == operations
    roots: list[Any] = []
    definitions: dict[str, Any] = {}
    for number, contract in enumerate(assembly.catalogue.contracts.values()):
        if number % 25 == 0:
            compile_schemas(contract)
        output = dict(contract.output_schema or {})
        definitions |= output.pop("$defs", {})
        roots.append(output)
    # All results at once: each by itself carries up to 445 definitions, and they are the same ones.
    Schema({"anyOf": roots, "$defs": definitions}, "all results")


@pytest.mark.data
@pytest.mark.skipif(NOWHERE, reason="the OpenAPI documents are not there: set INTERLOCK_DATA")
def test_a_refund_at_stripe_can_be_proposed() -> None:
    text = gzip.decompress((DATA / "stripe_spec3.json.gz").read_bytes())
    offer = offers_of(read_document(text, "stripe"), "stripe", ("PostRefunds",)).offers[0]
    arguments = Schema(offer.input_schema, "the test")
    assert arguments.fits({"charge": "ch_1", "amount": 100, "reason": "duplicate", "metadata": {"a": "b"}})
    assert not arguments.fits({"charge": "ch_1", "amount": "100"})
    assert not arguments.fits({"charge": "ch_1", "reason": "because"})
    assert not arguments.fits({"charge": "ch_1", "destination": "acct_1"})
