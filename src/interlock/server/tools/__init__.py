"""Where agents call tools: MCP at `/mcp`, and REST at `/v1/tool-calls`."""
