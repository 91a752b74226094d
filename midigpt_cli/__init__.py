"""The faces of midigpt: command line and server."""

from midigpt_cli.gc_tuning import look_hardly

look_hardly()
