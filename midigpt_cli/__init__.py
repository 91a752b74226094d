"""The faces of midigpt: command line and server."""

from midigpt_cli.gc_tuning import collect_rarely

collect_rarely()
