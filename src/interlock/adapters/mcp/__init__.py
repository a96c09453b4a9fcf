"""Tools that MCP servers offer: found, watched and called, over streamable HTTP or stdio."""
