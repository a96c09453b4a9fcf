"""Tools from OpenAPI documents 2.0, 3.0 and 3.1, carried out over HTTP."""
