"""Work on a Ray cluster: the songs of a command, and the server as a Ray Serve application."""
