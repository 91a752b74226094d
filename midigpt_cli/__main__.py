"""`python -m midigpt_cli`: the same as `midigpt`."""

from midigpt_cli.entry import main

main()
