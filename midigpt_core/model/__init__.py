"""The network that writes the tokens: its files, its names, its cache."""
