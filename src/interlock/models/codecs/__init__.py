"""Wire formats, one module each: pure readers and writers of what models are asked and answer."""
