"""The faces of midigpt: command line and server."""
