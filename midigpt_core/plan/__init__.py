"""From a request to windows: which bars each step writes, what it sees, and what is left out."""
