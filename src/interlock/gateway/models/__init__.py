"""The stations of the road of a model call (`gateway.model_call`): admission, attempts, exchange, shaping, privacy, caches."""
