"""Signatures are those that AWS publishes, and those that its own library makes."""

import pytest
from yarl import URL

from interlock.adapters.providers.sigv4 import AwsKeys, Scope, signed

KEYS = AwsKeys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
SUITE = Scope("us-east-1", "service")
AT = "20150830T123600Z"
TOKEN = (
    "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwth"
    "Ax7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAk"
    "iY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="
)


@pytest.mark.parametrize(
    ("case", "method", "path", "headers", "token", "signature"),
    [
        ("get-vanilla", "GET", "/", {}, "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        (
            *("get-vanilla-query-order-key-case", "GET", "/?Param2=value2&Param1=value1", {}, ""),
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        (
            *("get-header-key-duplicate", "GET", "/", {"My-Header1": "value2,value2,value1"}, ""),
            "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
        ),
        ("post-vanilla", "POST", "/", {}, "", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        (
            *("post-sts-header-before", "POST", "/", {}, TOKEN),
            "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead",
        ),
    ],
)
def test_the_published_cases_are_met(
    case: str, method: str, path: str, headers: dict[str, str], token: str, signature: str
) -> None:
    url = URL(f"https://example.amazonaws.com{path}", encoded=True)
    keys = AwsKeys(KEYS.access_key, KEYS.secret_key, token)
    names = ";".join(
        sorted(["host", "x-amz-date", *(name.lower() for name in headers), *["x-amz-security-token"] * bool(token)])
    )
    proof = signed(method, url, b"", keys, SUITE, AT, headers)
    assert proof["authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        f"SignedHeaders={names}, Signature={signature}"
    )


def test_a_request_to_bedrock_is_signed_as_botocore_signs_it() -> None:
    url = URL(
        "https://bedrock-runtime.eu-central-1.amazonaws.com/model/us.amazon.nova-pro-v1%3A0/converse", encoded=True
    )
    keys = AwsKeys("AKIA1", "s3cr3t/+", "tok")
    proof = signed("POST", url, b'{"a": 1}', keys, Scope("eu-central-1", "bedrock"), "20261121T010203Z")
    assert proof == {
        "x-amz-date": "20261121T010203Z",
        "x-amz-security-token": "tok",
        "authorization": "AWS4-HMAC-SHA256 Credential=AKIA1/20261121/eu-central-1/bedrock/aws4_request, "
        "SignedHeaders=host;x-amz-date;x-amz-security-token, "
        "Signature=3f23e75187b8e7048e5b2827eec3934e61793de8aec9c53ebe9646656a5334c1",
    }


def test_keys_do_not_show_themselves() -> None:
    assert "s3cr3t" not in repr(AwsKeys("AKIA1", "s3cr3t", "tok"))
