"""The command line: wiring only, one file a command. The one place that builds things."""
