"""What we call things of MCP is what the protocol's own SDK calls them."""

import mcp_types
from mcp_types import version

from interlock.tools import mcp_words


def test_every_word_of_the_protocol_is_the_sdks() -> None:
    words = {name: value for name, value in vars(mcp_words).items() if name.isupper()}
    assert len(words) > 10
    for name, value in words.items():
        assert value == getattr(version, name, None) or value == getattr(mcp_types, name, None), name
