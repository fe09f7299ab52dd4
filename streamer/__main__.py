"""`python -m streamer`: the command line."""

from streamer.cli.main import main

main()
