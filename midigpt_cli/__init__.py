"""The faces of midigpt: command line and server."""

from midigpt_cli.garbage import look_hardly

look_hardly()
