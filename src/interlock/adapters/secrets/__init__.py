"""Where credentials come from: the environment, files, the keyring of the operating system."""
