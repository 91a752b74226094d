"""Work on a Ray cluster: the songs of a command, and the server under Ray Serve (`midigpt_cli.cluster:app`)."""

from midigpt_cli.cluster.serving import app

__all__ = ["app"]
