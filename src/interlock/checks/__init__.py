"""Whether an output is fit to pass: schema, personal data, secrets."""
