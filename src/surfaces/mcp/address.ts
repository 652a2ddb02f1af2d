/** Where MCP is spoken: `/mcp`, `/mcp/<vendor>`, and both under a run. Groups: the run, the vendor. */
export const MCP_PATH = /^\/(?:run\/([^/?]*)\/)?mcp(?:\/([a-z0-9_-]+))?\/?(?:\?.*)?$/
